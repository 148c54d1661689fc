# Levee's own buckets. Snapshot buckets are made by the worker bucket-provision, a new one every night.

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18:CloudTrail's data events say who reads and writes; a bucket for access logs would be one more to protect
  # checkov:skip=CKV_AWS_144:These are records of copies; the second copy that replication is for is the backup itself
  # checkov:skip=CKV2_AWS_62:The stages look for inventories and reports by themselves and nothing listens for events of these buckets
  for_each = local.buckets

  bucket              = each.value
  object_lock_enabled = each.key == "ledger"
  tags                = merge(local.tags, { "levee:bucket" = each.key })

  # So that nothing is destroyed by the way: see "Take it down" in docs/operate.md.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].bucket
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].bucket
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].bucket
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
    bucket_key_enabled = var.kms_key_arn != null
  }
}

# On the ledger alone. Whether S3 delivers inventories into a bucket with default retention is not documented, so the
# manifest bucket has none.
resource "aws_s3_bucket_object_lock_configuration" "ledger" {
  bucket = aws_s3_bucket.this["ledger"].bucket
  rule {
    default_retention {
      mode = var.ledger_lock.mode
      days = var.ledger_lock.days
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

locals {
  # Days after which objects and their earlier versions go; none for ever. The data files of all inventories share one
  # folder, so that one rule for the whole bucket is as fine as it gets.
  expiry_days = {
    manifests = var.manifest_retention_days
    reports   = var.report_retention_days == 0 ? null : var.report_retention_days
    ledger    = null
    canary    = 1
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].bucket

  rule {
    id     = "levee-abort-unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = [for days in [local.expiry_days[each.key]] : days if days != null]
    content {
      id     = "levee-expire"
      status = "Enabled"
      filter {}
      expiration {
        days = rule.value
      }
      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }
    }
  }

  # The marker that expiry leaves goes once nothing is below it.
  dynamic "rule" {
    for_each = [for days in [local.expiry_days[each.key]] : days if days != null]
    content {
      id     = "levee-remove-markers"
      status = "Enabled"
      filter {}
      expiration {
        expired_object_delete_marker = true
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}
