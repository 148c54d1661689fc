# The role that S3 Batch Operations copies with. The actions on objects are those that the S3 User Guide asks for in "Granting
# permissions for Batch Operations" and "Copying objects across AWS accounts": what a job calls by itself cannot be seen from
# outside, and an action that is missing fails every object.

locals {
  copy_role = {
    description = "S3 Batch Operations copies Levee's sources with it"
    trust       = local.batch_trust
    policy      = jsonencode({ Version = "2012-10-17", Statement = local.copy_statements })
  }
  # Without aws:SourceAccount: it is not documented that Batch Operations sends it when it takes a role on.
  batch_trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "BatchOperations"
      Effect    = "Allow"
      Principal = { Service = "batchoperations.s3.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  read_actions = [
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectAcl",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectTagging",
    "s3:GetObjectVersionTagging",
  ]
  write_actions = [
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionTagging",
  ]
  # Batch Operations cannot be told who must own a bucket: without this a bucket of a stranger, under a name that he took
  # first, would get the data.
  own_account_only = { StringEquals = { "aws:ResourceAccount" = var.account_id } }

  copy_statements = concat(
    [
      { Sid = "ReadsSources", Effect = "Allow", Action = local.read_actions, Resource = [for arn in local.source_bucket_arns : "${arn}/*"] },
      # Without it an object that is gone answers 403, and the report could not tell it from one that is denied.
      { Sid = "ListsSources", Effect = "Allow", Action = "s3:ListBucket", Resource = local.source_bucket_arns },
      {
        Sid    = "ReadsManifests"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [
          "${local.bucket_arns.manifests}/*",
          "${local.bucket_arns.ledger}/runs/*-retry.csv",
          "${local.bucket_arns.ledger}/runs/*-held.csv",
          "${local.bucket_arns.ledger}/runs/*-again.csv",
          "${local.bucket_arns.ledger}/runs/*-missing.csv",
          "${local.bucket_arns.ledger}/runs/*/plan-*/manifest.json",
          "${local.bucket_arns.ledger}/runs/*/plan-*/data/*",
          "${local.bucket_arns.canary}/canary/*",
        ]
      },
      {
        Sid       = "WritesCopies"
        Effect    = "Allow"
        Action    = local.write_actions
        Resource  = concat([for arn in local.snapshot_bucket_arns : "${arn}/*"], ["${local.bucket_arns.canary}/canary/*"])
        Condition = local.own_account_only
      },
      { Sid = "WritesReports", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.bucket_arns.reports}/*", Condition = local.own_account_only },
    ],
    [for statement in [{
      Sid      = "RestoresArchivedObjects"
      Effect   = "Allow"
      Action   = "s3:RestoreObject"
      Resource = [for arn in local.thawed_bucket_arns : "${arn}/*"]
    }] : statement if length(local.thawed_bucket_arns) > 0],
    [for statement in [{
      Sid      = "DecryptsSources"
      Effect   = "Allow"
      Action   = "kms:Decrypt"
      Resource = local.source_kms_key_arns
    }] : statement if length(local.source_kms_key_arns) > 0],
    # Data keys for copies and reports; decryption for manifests under the key, and for what is written in parts.
    [for statement in [{
      Sid      = "EncryptsCopies"
      Effect   = "Allow"
      Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
      Resource = local.target_kms_key_arns
    }] : statement if length(local.target_kms_key_arns) > 0],
  )
}
