# The bucket that drills restore into, while there are any. Without the wall and without versions, for it holds copies of copies that
# are to go: drill-close empties it after a drill, and what a drill that failed has left goes by itself.

resource "aws_s3_bucket" "scratch" {
  # checkov:skip=CKV_AWS_18:Nothing that is not in a snapshot too is ever in it, and it is empty between two drills
  # checkov:skip=CKV_AWS_21:Its objects are deleted after each drill, and versions of them would be paid for and looked at by nobody
  # checkov:skip=CKV_AWS_144:What is in it is a copy of a snapshot, made to be deleted
  # checkov:skip=CKV2_AWS_62:The stages of a drill know what they write, and nothing listens for events of this bucket
  count = local.drilling ? 1 : 0

  bucket = local.scratch_bucket
  # So that drills can be given up, with what the last of them may have left.
  force_destroy = true
  tags          = merge(local.tags, { "levee:bucket" = "scratch" })
}

resource "aws_s3_bucket_ownership_controls" "scratch" {
  count = local.drilling ? 1 : 0

  bucket = aws_s3_bucket.scratch[0].bucket
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "scratch" {
  count = local.drilling ? 1 : 0

  bucket                  = aws_s3_bucket.scratch[0].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "scratch" {
  count = local.drilling ? 1 : 0

  bucket = aws_s3_bucket.scratch[0].bucket
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
    bucket_key_enabled = var.kms_key_arn != null
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "scratch" {
  count = local.drilling ? 1 : 0

  bucket = aws_s3_bucket.scratch[0].bucket

  rule {
    id     = "levee-abort-unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # Until then a drill that failed can be looked at.
  rule {
    id     = "levee-expire"
    status = "Enabled"
    filter {}
    expiration {
      days = 7
    }
  }
}

resource "aws_s3_bucket_policy" "scratch" {
  count = local.drilling ? 1 : 0

  bucket = aws_s3_bucket.scratch[0].bucket
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LeveeDenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.scratch_bucket_arn, "${local.scratch_bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.scratch]
}
