# Levee's buckets: the wall, the inventory's delivery, retention and lifecycle.

mock_provider "aws" {}

variables {
  account_id = "222222222222"
  region     = "us-east-1"
  sources = {
    lake-events = { account_id = "111111111111" }
    lake-orders = { account_id = "333333333333" }
  }
  break_glass_arns = ["arn:aws:iam::222222222222:role/break-glass"]
}

run "nobody_but_break_glass_principals_and_services_gets_through_the_wall" {
  command = plan

  assert {
    condition     = toset(keys(aws_s3_bucket_policy.this)) == toset(["manifests", "reports", "ledger", "canary"])
    error_message = "A bucket has no policy."
  }

  assert {
    condition = alltrue([for what, policy in aws_s3_bucket_policy.this : [for s in jsondecode(policy.policy).Statement : s if s.Effect == "Deny"] == [
      {
        Sid       = "LeveeDenyRemoval"
        Effect    = "Deny"
        Principal = "*"
        Action = [
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
        Resource = ["arn:aws:s3:::levee-${what}-222222222222-us-east-1", "arn:aws:s3:::levee-${what}-222222222222-us-east-1/*"]
        Condition = {
          ArnNotLike   = { "aws:PrincipalArn" = ["arn:aws:iam::222222222222:role/break-glass"] }
          BoolIfExists = { "aws:PrincipalIsAWSService" = "false" }
        }
      },
      {
        Sid       = "LeveeDenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = ["arn:aws:s3:::levee-${what}-222222222222-us-east-1", "arn:aws:s3:::levee-${what}-222222222222-us-east-1/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]])
    error_message = "The wall around a bucket."
  }

  assert {
    condition = [for s in jsondecode(aws_s3_bucket_policy.this["manifests"].policy).Statement : s if s.Effect == "Allow"] == [{
      Sid       = "InventoryDelivery"
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::levee-manifests-222222222222-us-east-1/*"
      Condition = {
        ArnLike      = { "aws:SourceArn" = ["arn:aws:s3:::lake-events", "arn:aws:s3:::lake-orders"] }
        StringEquals = { "aws:SourceAccount" = ["111111111111", "333333333333"], "s3:x-amz-acl" = "bucket-owner-full-control" }
      }
    }]
    error_message = "Who may deliver inventories."
  }

  assert {
    condition     = alltrue([for what, policy in aws_s3_bucket_policy.this : what == "manifests" || length(jsondecode(policy.policy).Statement) == 2])
    error_message = "A bucket's policy lets somebody in."
  }
}

run "without_break_glass_principals_only_services_get_through" {
  command = plan
  variables {
    break_glass_arns = []
  }

  assert {
    condition     = alltrue([for what, policy in aws_s3_bucket_policy.this : [for s in jsondecode(policy.policy).Statement : s.Condition if s.Sid == "LeveeDenyRemoval"] == [{ BoolIfExists = { "aws:PrincipalIsAWSService" = "false" } }]])
    error_message = "The wall has another way through."
  }
}

run "every_bucket_is_closed_versioned_and_encrypted" {
  command = plan

  assert {
    condition = { for what, bucket in aws_s3_bucket.this : what => bucket.bucket } == {
      manifests = "levee-manifests-222222222222-us-east-1"
      reports   = "levee-reports-222222222222-us-east-1"
      ledger    = "levee-ledger-222222222222-us-east-1"
      canary    = "levee-canary-222222222222-us-east-1"
    }
    error_message = "The buckets' names."
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : bucket.force_destroy != true])
    error_message = "Destroying would empty a bucket."
  }

  assert {
    condition     = alltrue([for what, block in aws_s3_bucket_public_access_block.this : block.bucket == aws_s3_bucket.this[what].bucket && block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets]) && length(aws_s3_bucket_public_access_block.this) == 4
    error_message = "Public access is not blocked everywhere."
  }

  assert {
    condition     = alltrue([for what, versioning in aws_s3_bucket_versioning.this : versioning.bucket == aws_s3_bucket.this[what].bucket && versioning.versioning_configuration[0].status == "Enabled"]) && length(aws_s3_bucket_versioning.this) == 4
    error_message = "A bucket is not versioned."
  }

  assert {
    condition     = alltrue([for what, controls in aws_s3_bucket_ownership_controls.this : controls.bucket == aws_s3_bucket.this[what].bucket && controls.rule[0].object_ownership == "BucketOwnerEnforced"]) && length(aws_s3_bucket_ownership_controls.this) == 4
    error_message = "A bucket's objects may belong to somebody else."
  }

  assert {
    condition     = alltrue([for encryption in aws_s3_bucket_server_side_encryption_configuration.this : alltrue([for rule in encryption.rule : rule.apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"])])
    error_message = "A bucket is not encrypted with SSE-S3."
  }
}

run "with_a_key_every_bucket_is_under_it" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:222222222222:key/own"
  }

  assert {
    condition = length(aws_s3_bucket_server_side_encryption_configuration.this) == 4 && alltrue([for encryption in aws_s3_bucket_server_side_encryption_configuration.this : alltrue([for rule in encryption.rule :
    rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:us-east-1:222222222222:key/own"])])
    error_message = "A bucket is not under the key."
  }
}

run "only_the_ledger_is_locked" {
  command = plan
  variables {
    ledger_lock = { mode = "COMPLIANCE", days = 30 }
  }

  assert {
    condition     = { for what, bucket in aws_s3_bucket.this : what => bucket.object_lock_enabled } == { manifests = false, reports = false, ledger = true, canary = false }
    error_message = "Which buckets have Object Lock."
  }

  assert {
    condition = (
      aws_s3_bucket_object_lock_configuration.ledger.bucket == aws_s3_bucket.this["ledger"].bucket
      && aws_s3_bucket_object_lock_configuration.ledger.rule[0].default_retention[0].mode == "COMPLIANCE"
      && aws_s3_bucket_object_lock_configuration.ledger.rule[0].default_retention[0].days == 30
    )
    error_message = "The default retention of the ledger."
  }
}

run "lifecycle_keeps_what_a_job_may_still_read_and_the_ledger_for_ever" {
  command = plan
  variables {
    manifest_retention_days = 45
  }

  assert {
    condition = { for what, lifecycle in aws_s3_bucket_lifecycle_configuration.this : what => { for rule in lifecycle.rule : rule.id => [rule.status, try(rule.expiration[0].days, 0), try(rule.noncurrent_version_expiration[0].noncurrent_days, 0), try(rule.abort_incomplete_multipart_upload[0].days_after_initiation, 0)] if rule.id != "levee-remove-markers" } } == {
      manifests = { levee-abort-unfinished-uploads = ["Enabled", 0, 0, 7], levee-expire = ["Enabled", 45, 45, 0] }
      reports   = { levee-abort-unfinished-uploads = ["Enabled", 0, 0, 7] }
      ledger    = { levee-abort-unfinished-uploads = ["Enabled", 0, 0, 7] }
      canary    = { levee-abort-unfinished-uploads = ["Enabled", 0, 0, 7], levee-expire = ["Enabled", 1, 1, 0] }
    }
    error_message = "What goes when."
  }

  assert {
    condition     = alltrue(flatten([for lifecycle in aws_s3_bucket_lifecycle_configuration.this : [for rule in lifecycle.rule : length(rule.transition) == 0 && length(rule.noncurrent_version_transition) == 0]]))
    error_message = "A rule moves objects to another class, which a job may not be able to read."
  }
}

run "reports_go_when_told_so" {
  command = plan
  variables {
    report_retention_days = 400
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this["reports"].rule : rule.expiration[0].days if rule.id == "levee-expire"] == [400]
    error_message = "The retention of reports."
  }
}

run "names_of_buckets_may_be_given" {
  command = plan
  variables {
    bucket_names = { manifests = "our-manifests", reports = "our-reports", ledger = "our-ledger", canary = "our-canary" }
  }

  assert {
    condition     = alltrue([for what, bucket in aws_s3_bucket.this : bucket.bucket == "our-${what}"]) && strcontains(aws_s3_bucket_policy.this["ledger"].policy, "arn:aws:s3:::our-ledger/*")
    error_message = "A given name is not used."
  }
}
