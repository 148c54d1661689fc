# What restores add, and only while the variable `restores` is set: the role that S3 Batch Operations restores with, and what
# the workers may do beyond the nights. Without it nothing here is in any policy, and no role may write to a source.
#
# Everything that writes names the targets, and the accounts that they are in: under the name of a bucket that was removed a
# stranger may have one by now. No role may delete an object there. What the stages read of snapshots is in iam_drill.tf, because drills
# read it too.

locals {
  restore_targets     = var.restores == null ? [] : keys(var.restores.targets)
  restore_accounts    = var.restores == null ? [] : distinct([for target in values(var.restores.targets) : target.account_id])
  restore_target_arns = [for bucket in local.restore_targets : "arn:aws:s3:::${bucket}"]
  restore_key_arns    = var.restores == null ? [] : distinct(flatten([for target in values(var.restores.targets) : target.kms_key_arns]))
  # large-copy and table-verify read the sources and open their objects anyhow.
  other_target_arns = [for arn in local.restore_target_arns : arn if !contains(local.source_bucket_arns, arn)]
  other_key_arns    = [for key in local.restore_key_arns : key if !contains(local.source_kms_key_arns, key)]

  # The snapshots that are restored from.
  restored_snapshot_arns     = [for source in try(coalescelist(var.restores.sources), keys(var.sources)) : "arn:aws:s3:::${source}-??-???-????"]
  restore_target_object_arns = [for arn in local.restore_target_arns : "${arn}/*"]
  other_target_object_arns   = [for arn in local.other_target_arns : "${arn}/*"]
  restore_accounts_only      = { StringEquals = { "aws:ResourceAccount" = local.restore_accounts } }

  # The manifests of the jobs of restores, and of drills, which are restores.
  restore_manifest_arns = [for manifest in ["*/plan-*.csv", "*-retry.csv", "*-held.csv", "*-again.csv"] : "${local.bucket_arns.ledger}/restores/${manifest}"]

  restore_role = {
    description = "S3 Batch Operations restores from Levee's snapshots with it"
    trust       = local.batch_trust
    policy      = jsonencode({ Version = "2012-10-17", Statement = local.restore_statements })
  }

  # What the role of restores and that of drills have in common, each for the snapshots that it reads.
  bringing_back = { for what, snapshots in { restores = local.restored_snapshot_arns, drills = local.drilled_snapshot_arns } : what => concat(
    [
      { Sid = "ReadsSnapshots", Effect = "Allow", Action = local.read_actions, Resource = [for arn in snapshots : "${arn}/*"] },
      # Without it an object that is gone answers 403, and the report could not tell it from one that is denied.
      { Sid = "ListsSnapshots", Effect = "Allow", Action = "s3:ListBucket", Resource = snapshots },
      # Copies in GLACIER and DEEP_ARCHIVE are restored where they are before they can be copied.
      { Sid = "RestoresArchivedCopies", Effect = "Allow", Action = "s3:RestoreObject", Resource = [for arn in snapshots : "${arn}/*"] },
      { Sid = "ReadsManifests", Effect = "Allow", Action = ["s3:GetObject", "s3:GetObjectVersion"], Resource = local.restore_manifest_arns },
      { Sid = "WritesReports", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.bucket_arns.reports}/*", Condition = local.own_account_only },
    ],
    [for statement in [{
      Sid      = "DecryptsSnapshots"
      Effect   = "Allow"
      Action   = "kms:Decrypt"
      Resource = local.snapshot_kms_key_arns
    }] : statement if length(local.snapshot_kms_key_arns) > 0],
    # Manifests and reports; the scratch bucket, too.
    local.uses_key,
  ) }

  restore_statements = concat(
    local.bringing_back.restores,
    [{
      Sid       = "WritesTargets"
      Effect    = "Allow"
      Action    = local.write_actions
      Resource  = local.restore_target_object_arns
      Condition = local.restore_accounts_only
    }],
    # Data keys for what is restored; decryption for what is written in parts.
    [for statement in [{
      Sid      = "EncryptsTargets"
      Effect   = "Allow"
      Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
      Resource = local.restore_key_arns
    }] : statement if length(local.restore_key_arns) > 0],
  )

  # What a stage does for restores beyond what it does in nights, and beyond what it reads of snapshots.
  stage_restoring = {
    restore-plan = [
      # What is there already, and what is in the way.
      { Sid = "RestorePlanReadsTargets", Effect = "Allow", Action = "s3:GetObject", Resource = local.restore_target_object_arns },
      { Sid = "RestorePlanListsTargets", Effect = "Allow", Action = "s3:ListBucket", Resource = local.restore_target_arns },
    ]
    job-submit = [
      # Without iam:PassedToService: CreateJob does not fill it in, and the condition would always deny.
      { Sid = "JobSubmitHandsTheRestoreRoleOver", Effect = "Allow", Action = "iam:PassRole", Resource = local.restore_role_arn },
    ]
    thaw = [
      { Sid = "ThawHandsTheRestoreRoleOver", Effect = "Allow", Action = "iam:PassRole", Resource = local.restore_role_arn },
    ]
    large-copy = concat(
      [
        {
          Sid       = "LargeCopyWritesTargets"
          Effect    = "Allow"
          Action    = ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"]
          Resource  = local.restore_target_object_arns
          Condition = local.restore_accounts_only
        },
        { Sid = "LargeCopyLooksAtParts", Effect = "Allow", Action = "s3:ListMultipartUploadParts", Resource = local.restore_target_object_arns },
        { Sid = "LargeCopyFindsUploads", Effect = "Allow", Action = "s3:ListBucketMultipartUploads", Resource = local.restore_target_arns },
      ],
      [for statement in [
        { Sid = "LargeCopyLooksAtTargets", Effect = "Allow", Action = "s3:GetObject", Resource = local.other_target_object_arns },
        { Sid = "LargeCopyListsTargets", Effect = "Allow", Action = "s3:ListBucket", Resource = local.other_target_arns },
      ] : statement if length(local.other_target_arns) > 0],
      [for statement in [{
        Sid      = "LargeCopyEncryptsTargets"
        Effect   = "Allow"
        Action   = "kms:GenerateDataKey"
        Resource = local.restore_key_arns
      }] : statement if length(local.restore_key_arns) > 0],
      [for statement in [{
        Sid      = "LargeCopyDecryptsTargets"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = local.other_key_arns
      }] : statement if length(local.other_key_arns) > 0],
    )
    table-verify = concat(
      [
        # A _last_checkpoint, and the commit that rolls a table back; never a data file.
        {
          Sid       = "TableVerifyWritesLogs"
          Effect    = "Allow"
          Action    = "s3:PutObject"
          Resource  = [for arn in local.restore_target_arns : "${arn}/*_delta_log/*"]
          Condition = local.restore_accounts_only
        },
      ],
      [for statement in [
        { Sid = "TableVerifyReadsTargets", Effect = "Allow", Action = "s3:GetObject", Resource = local.other_target_object_arns },
        { Sid = "TableVerifyListsTargets", Effect = "Allow", Action = "s3:ListBucket", Resource = local.other_target_arns },
      ] : statement if length(local.other_target_arns) > 0],
      [for statement in [{
        Sid      = "TableVerifyEncryptsLogs"
        Effect   = "Allow"
        Action   = "kms:GenerateDataKey"
        Resource = local.restore_key_arns
      }] : statement if length(local.restore_key_arns) > 0],
      [for statement in [{
        Sid      = "TableVerifyDecryptsTargets"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = local.other_key_arns
      }] : statement if length(local.other_key_arns) > 0],
    )
  }
}
