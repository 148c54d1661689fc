# What drills add, and only while the variable `drills` is set: the role that S3 Batch Operations restores into the scratch bucket with,
# and what the workers may do there. Without restores beside them no drill writes anywhere else, the warehouse least of all.
#
# drill-close deletes in the scratch bucket, which it empties after each drill: the only right to delete an object that a role has. So
# nothing but what drills restore may ever be in it, and it is written in the backup account alone.

locals {
  # The snapshots that are drilled, and those that the workers read for restores and drills together.
  drilled_snapshot_arns = [for source in local.drilled_sources : "arn:aws:s3:::${source}-??-???-????"]
  drilled_object_arns   = [for arn in local.drilled_snapshot_arns : "${arn}/*"]
  read_snapshot_arns    = distinct(concat(var.restores == null ? [] : local.restored_snapshot_arns, local.drilled_snapshot_arns))
  read_object_arns      = [for arn in local.read_snapshot_arns : "${arn}/*"]
  scratch_object_arns   = "${local.scratch_bucket_arn}/*"

  drill_role = {
    description = "S3 Batch Operations restores into the scratch bucket of Levee's drills with it"
    trust       = local.batch_trust
    policy      = jsonencode({ Version = "2012-10-17", Statement = local.drill_statements })
  }

  drill_statements = concat(
    local.bringing_back.drills,
    [{ Sid = "WritesScratch", Effect = "Allow", Action = local.write_actions, Resource = local.scratch_object_arns, Condition = local.own_account_only }],
  )

  # What a stage reads of snapshots for restores and for drills, once where there are both.
  stage_reading_snapshots = {
    restore-plan = concat(
      [
        # Whether the plan still holds: logs and checkpoints are read, and every object is listed.
        { Sid = "RestorePlanReadsSnapshots", Effect = "Allow", Action = "s3:GetObject", Resource = local.read_object_arns },
        { Sid = "RestorePlanListsSnapshots", Effect = "Allow", Action = "s3:ListBucket", Resource = local.read_snapshot_arns },
      ],
      [for statement in [{
        Sid      = "RestorePlanDecryptsLogs"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = distinct(concat(local.snapshot_kms_key_arns, local.restore_key_arns))
      }] : statement if length(local.snapshot_kms_key_arns) + length(local.restore_key_arns) > 0],
    )
    # What a report says is gone is looked for in the snapshot, by HEAD, and so are copies that wait to be restored.
    report-parse = [
      { Sid = "ReportParseLooksForCopies", Effect = "Allow", Action = "s3:GetObject", Resource = local.read_object_arns },
      { Sid = "ReportParseListsSnapshots", Effect = "Allow", Action = "s3:ListBucket", Resource = local.read_snapshot_arns },
    ]
    thaw = [
      { Sid = "ThawLooksAtCopies", Effect = "Allow", Action = "s3:GetObject", Resource = local.read_object_arns },
      { Sid = "ThawListsSnapshots", Effect = "Allow", Action = "s3:ListBucket", Resource = local.read_snapshot_arns },
    ]
    # The newest version of a copy, and the list of them, are LargeCopyLooksAtCopies and LargeCopyListsCopies.
    large-copy = [
      {
        Sid      = "LargeCopyReadsSnapshots"
        Effect   = "Allow"
        Action   = ["s3:GetObjectVersion", "s3:GetObjectVersionTagging"]
        Resource = local.read_object_arns
      },
    ]
  }

  # What a stage does for drills beyond what it does for restores: in the scratch bucket what it does in a target. Its key is the
  # deployment's, which every worker uses anyhow.
  stage_drilling = {
    drill-plan = concat(
      [
        # Which tables there are, and what a copy of each is made of.
        { Sid = "DrillPlanReadsSnapshots", Effect = "Allow", Action = "s3:GetObject", Resource = local.drilled_object_arns },
        { Sid = "DrillPlanListsSnapshots", Effect = "Allow", Action = "s3:ListBucket", Resource = local.drilled_snapshot_arns },
        { Sid = "DrillPlanListsScratch", Effect = "Allow", Action = "s3:ListBucket", Resource = local.scratch_bucket_arn },
      ],
      [for statement in [{
        Sid      = "DrillPlanDecryptsLogs"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = local.snapshot_kms_key_arns
      }] : statement if length(local.snapshot_kms_key_arns) > 0],
    )
    restore-plan = [
      # A drill goes to a new place, so nothing is read there.
      { Sid = "RestorePlanListsScratch", Effect = "Allow", Action = "s3:ListBucket", Resource = local.scratch_bucket_arn },
    ]
    # Without iam:PassedToService: CreateJob does not fill it in, and the condition would always deny.
    job-submit = [
      { Sid = "JobSubmitHandsTheDrillRoleOver", Effect = "Allow", Action = "iam:PassRole", Resource = local.drill_role_arn },
    ]
    thaw = [
      { Sid = "ThawHandsTheDrillRoleOver", Effect = "Allow", Action = "iam:PassRole", Resource = local.drill_role_arn },
    ]
    large-copy = [
      {
        Sid       = "LargeCopyWritesScratch"
        Effect    = "Allow"
        Action    = ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"]
        Resource  = local.scratch_object_arns
        Condition = local.own_account_only
      },
      { Sid = "LargeCopyLooksAtScratch", Effect = "Allow", Action = ["s3:GetObject", "s3:ListMultipartUploadParts"], Resource = local.scratch_object_arns },
      { Sid = "LargeCopyListsScratch", Effect = "Allow", Action = ["s3:ListBucket", "s3:ListBucketMultipartUploads"], Resource = local.scratch_bucket_arn },
    ]
    table-verify = [
      { Sid = "TableVerifyReadsScratch", Effect = "Allow", Action = "s3:GetObject", Resource = local.scratch_object_arns },
      { Sid = "TableVerifyListsScratch", Effect = "Allow", Action = "s3:ListBucket", Resource = local.scratch_bucket_arn },
      # A _last_checkpoint; never a data file.
      {
        Sid       = "TableVerifyWritesScratch"
        Effect    = "Allow"
        Action    = "s3:PutObject"
        Resource  = "${local.scratch_bucket_arn}/*_delta_log/*"
        Condition = local.own_account_only
      },
    ]
    drill-close = [
      # What other executions have left goes once they do not run any more.
      { Sid = "DrillCloseAsksForExecutions", Effect = "Allow", Action = "states:DescribeExecution", Resource = local.drill_execution_arns },
      # Every data file is opened, and then everything goes.
      { Sid = "DrillCloseReadsScratch", Effect = "Allow", Action = "s3:GetObject", Resource = local.scratch_object_arns },
      { Sid = "DrillCloseListsScratch", Effect = "Allow", Action = "s3:ListBucket", Resource = local.scratch_bucket_arn },
      { Sid = "DrillCloseEmptiesScratch", Effect = "Allow", Action = "s3:DeleteObject", Resource = local.scratch_object_arns, Condition = local.own_account_only },
    ]
  }
}
