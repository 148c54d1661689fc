# Lets Levee read one bucket of the warehouse and have S3 describe it every day. The bucket need not be Terraform's.

locals {
  bucket_arn = "arn:aws:s3:::${var.bucket}"

  # Exactly what the copy jobs, the workers and the canary of `levee doctor` read. s3:ListBucket is there because without it an object that
  # is gone answers 403, and a report could not tell it from one that is denied.
  statements = concat(
    [
      {
        Sid       = "LeveeBatchCopyReads"
        Effect    = "Allow"
        Principal = { AWS = var.backup.copy_role_arn }
        Action = [
          "s3:GetObject",
          "s3:GetObjectVersion",
          "s3:GetObjectAcl",
          "s3:GetObjectVersionAcl",
          "s3:GetObjectTagging",
          "s3:GetObjectVersionTagging",
        ]
        Resource = "${local.bucket_arn}/*"
      },
      {
        Sid       = "LeveeBatchCopyLists"
        Effect    = "Allow"
        Principal = { AWS = var.backup.copy_role_arn }
        Action    = "s3:ListBucket"
        Resource  = local.bucket_arn
      },
    ],
    [for statement in [{
      Sid       = "LeveeBatchRestores"
      Effect    = "Allow"
      Principal = { AWS = var.backup.copy_role_arn }
      Action    = "s3:RestoreObject"
      Resource  = "${local.bucket_arn}/*"
    }] : statement if contains(var.backup.restored_buckets, var.bucket)],
    [for statement in [
      {
        Sid       = "LeveeReadersRead"
        Effect    = "Allow"
        Principal = { AWS = var.backup.reader_role_arns }
        Action    = "s3:GetObject"
        Resource  = "${local.bucket_arn}/*"
      },
      {
        Sid       = "LeveeReadersList"
        Effect    = "Allow"
        Principal = { AWS = var.backup.reader_role_arns }
        Action    = "s3:ListBucket"
        Resource  = local.bucket_arn
      },
    ] : statement if length(var.backup.reader_role_arns) > 0],
    [for statement in [
      {
        Sid       = "LeveeCopyingReads"
        Effect    = "Allow"
        Principal = { AWS = var.backup.copying_role_arns }
        Action    = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"]
        Resource  = "${local.bucket_arn}/*"
      },
      {
        Sid       = "LeveeCopyingLists"
        Effect    = "Allow"
        Principal = { AWS = var.backup.copying_role_arns }
        Action    = "s3:ListBucket"
        Resource  = local.bucket_arn
      },
    ] : statement if length(var.backup.copying_role_arns) > 0],
    local.restore_statements,
  )

  # What is written here, and only while restores into this bucket are enabled. Nothing may be deleted. What large-copy and
  # table-verify read is in LeveeCopyingReads and LeveeCopyingLists.
  restoring = [for restore in [var.backup.restore] : restore if try(contains(restore.targets, var.bucket), false)]
  restore_statements = flatten([for restore in local.restoring : [
    {
      Sid       = "LeveeRestoreBatchWrites"
      Effect    = "Allow"
      Principal = { AWS = restore.batch_role_arn }
      Action = [
        "s3:PutObject",
        "s3:PutObjectAcl",
        "s3:PutObjectVersionAcl",
        "s3:PutObjectTagging",
        "s3:PutObjectVersionTagging",
      ]
      Resource = "${local.bucket_arn}/*"
    },
    {
      Sid       = "LeveeRestoreLargeWrites"
      Effect    = "Allow"
      Principal = { AWS = restore.writing_role_arns }
      Action    = ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
      Resource  = "${local.bucket_arn}/*"
    },
    {
      Sid       = "LeveeRestoreLargeFindsUploads"
      Effect    = "Allow"
      Principal = { AWS = restore.writing_role_arns }
      Action    = "s3:ListBucketMultipartUploads"
      Resource  = local.bucket_arn
    },
    {
      # A _last_checkpoint, and the commit that rolls a table back; never a data file.
      Sid       = "LeveeRestoreVerifyWritesLogs"
      Effect    = "Allow"
      Principal = { AWS = restore.verifying_role_arns }
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arn}/*_delta_log/*"
    },
    {
      Sid       = "LeveeRestorePlanReads"
      Effect    = "Allow"
      Principal = { AWS = restore.reading_role_arns }
      Action    = "s3:GetObject"
      Resource  = "${local.bucket_arn}/*"
    },
    {
      Sid       = "LeveeRestorePlanLists"
      Effect    = "Allow"
      Principal = { AWS = restore.reading_role_arns }
      Action    = "s3:ListBucket"
      Resource  = local.bucket_arn
    },
  ]])
  own_sids = [
    "LeveeBatchCopyReads", "LeveeBatchCopyLists", "LeveeBatchRestores",
    "LeveeReadersRead", "LeveeReadersList",
    "LeveeCopyingReads", "LeveeCopyingLists",
    "LeveeRestoreBatchWrites", "LeveeRestoreLargeWrites", "LeveeRestoreLargeFindsUploads",
    "LeveeRestoreVerifyWritesLogs", "LeveeRestorePlanReads", "LeveeRestorePlanLists",
  ]

  # A policy that has Levee's statements already, because it was read back, does not get them twice, and loses those of a
  # restore that is over.
  existing = jsondecode(coalesce(var.existing_bucket_policy, jsonencode({ Version = "2012-10-17", Statement = [] })))
  others   = [for statement in flatten([local.existing.Statement]) : statement if !contains(local.own_sids, lookup(statement, "Sid", "-"))]
  policy   = jsonencode(merge(local.existing, { Statement = concat(local.others, local.statements) }))

  # The roles that read bytes, with a key of the map that is known before the roles are there.
  grants = merge([for key in var.kms_key_arns : {
    for role in concat([var.backup.copy_role_arn], var.backup.decrypting_role_arns) : "${key} ${role}" => { key = key, role = role }
  }]...)

  # What each role of a restore lacks: those that write need data keys, and all of them decrypt, for what is written in parts
  # and for logs that are read.
  restore_operations = merge([for restore in local.restoring : {
    for role in distinct(concat([restore.batch_role_arn], restore.writing_role_arns, restore.verifying_role_arns, restore.reading_role_arns)) : role => concat(
      contains(var.backup.decrypting_role_arns, role) ? [] : ["Decrypt"],
      contains(concat([restore.batch_role_arn], restore.writing_role_arns, restore.verifying_role_arns), role) ? ["GenerateDataKey"] : [],
    )
  }]...)
  restore_grants = merge([for key in var.kms_key_arns : {
    for role, operations in local.restore_operations : "${key} ${role}" => { key = key, role = role, operations = operations } if length(operations) > 0
  }]...)
}

resource "aws_s3_bucket_policy" "this" {
  count = var.existing_bucket_policy == null ? 0 : 1

  bucket = var.bucket
  policy = local.policy

  lifecycle {
    precondition {
      condition     = length(local.policy) <= 20480
      error_message = "With Levee's statements the policy of ${var.bucket} has more than the 20 KB that S3 allows."
    }
  }
}

# Daily, in CSV and of current versions alone: what a copy job can work through as it is. The columns are all optional to
# Levee; each tells something of an object before it is copied.
resource "aws_s3_bucket_inventory" "this" {
  count = var.create_inventory ? 1 : 0

  bucket                   = var.bucket
  name                     = var.inventory_id
  enabled                  = true
  included_object_versions = "Current"
  optional_fields = [
    "Size",
    "LastModifiedDate",
    "ETag",
    "StorageClass",
    "IsMultipartUploaded",
    "EncryptionStatus",
    "IntelligentTieringAccessTier",
    "ChecksumAlgorithm",
  ]

  schedule {
    frequency = "Daily"
  }

  destination {
    bucket {
      # Without it S3 does not check whose bucket it delivers to.
      account_id = var.backup_account_id
      bucket_arn = "arn:aws:s3:::${var.backup.manifest_bucket}"
      prefix     = var.backup.inventory_prefix == "" ? null : var.backup.inventory_prefix
      format     = "CSV"

      encryption {
        dynamic "sse_s3" {
          for_each = var.inventory_kms_key_arn == null ? [1] : []
          content {}
        }
        dynamic "sse_kms" {
          for_each = var.inventory_kms_key_arn == null ? [] : [var.inventory_kms_key_arn]
          content {
            key_id = sse_kms.value
          }
        }
      }
    }
  }
}

# Batch Operations decrypts with the copy role, large-copy, table-verify and the canary with their own; the policies of the keys stay as they are.
resource "aws_kms_grant" "this" {
  for_each = local.grants

  name              = "levee-${var.bucket}"
  key_id            = each.value.key
  grantee_principal = each.value.role
  operations        = ["Decrypt"]
}

# There only while restores into this bucket are enabled.
resource "aws_kms_grant" "restore" {
  for_each = local.restore_grants

  name              = "levee-restore-${var.bucket}"
  key_id            = each.value.key
  grantee_principal = each.value.role
  operations        = each.value.operations
}
