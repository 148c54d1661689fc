# The wall: nobody but a break-glass principal and AWS services removes an object, opens a way to remove one, or takes the
# wall down. The same actions and conditions as those of snapshot buckets in workers/bucket-provision/src/policy.rs.

locals {
  # Expiry by lifecycle is a deletion, replication can carry deletions out, and ACLs that count again let others in.
  removing_actions = [
    "s3:BypassGovernanceRetention",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutReplicationConfiguration",
  ]
  removal_condition = merge(
    # Deliveries and lifecycle are services' doing.
    { BoolIfExists = { "aws:PrincipalIsAWSService" = "false" } },
    { for operator, keys in { ArnNotLike = { "aws:PrincipalArn" = var.break_glass_arns } } : operator => keys if length(var.break_glass_arns) > 0 },
  )
  wall = { for what, arn in local.bucket_arns : what => [
    {
      Sid       = "LeveeDenyRemoval"
      Effect    = "Deny"
      Principal = "*"
      Action    = local.removing_actions
      Resource  = [arn, "${arn}/*"]
      Condition = local.removal_condition
    },
    {
      Sid       = "LeveeDenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [arn, "${arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    },
  ] }

  # S3 delivers the inventories of the sources and of no other bucket ("Grant permissions for S3 Inventory" of the S3 User
  # Guide). One statement for all of them, because a bucket policy has at most 20 KB.
  inventory_delivery = {
    Sid       = "InventoryDelivery"
    Effect    = "Allow"
    Principal = { Service = "s3.amazonaws.com" }
    Action    = "s3:PutObject"
    Resource  = "${local.bucket_arns.manifests}/*"
    Condition = {
      ArnLike = { "aws:SourceArn" = local.source_bucket_arns }
      StringEquals = {
        "aws:SourceAccount" = local.source_accounts
        "s3:x-amz-acl"      = "bucket-owner-full-control"
      }
    }
  }

  bucket_policies = { for what, statements in local.wall : what => jsonencode({
    Version   = "2012-10-17"
    Statement = concat([for statement in [local.inventory_delivery] : statement if what == "manifests"], statements)
  }) }
}

# Last on the way up and first on the way down: it denies most of what the other settings need.
resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].bucket
  policy = local.bucket_policies[each.key]

  lifecycle {
    precondition {
      condition     = length(local.bucket_policies[each.key]) <= 20480
      error_message = "The policy of ${each.value} has more than the 20 KB that S3 allows: split the sources over two deployments with two names."
    }
  }

  depends_on = [
    aws_s3_bucket_lifecycle_configuration.this,
    aws_s3_bucket_object_lock_configuration.ledger,
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}
