mock_provider "aws" {}

variables {
  backup_account_id = "222222222222"
  break_glass_arns  = ["arn:aws:iam::222222222222:role/break-glass"]
}

run "break_glass_is_let_out_and_nobody_leaves" {
  command = plan

  assert {
    condition = alltrue([for s in jsondecode(aws_organizations_policy.backup.content).Statement : s.Effect == "Deny" && (s.Sid == "DenyLeaving" ? !can(s.Condition) : s.Condition == {
      ArnNotLike = { "aws:PrincipalArn" = concat(["arn:aws:iam::222222222222:role/break-glass"], contains(["DenyWeakerBuckets", "DenyRemovalByOthers"], s.Sid) ? ["arn:aws:iam::222222222222:role/levee-worker-*"] : []) }
    })])
    error_message = "Who is let out."
  }

  assert {
    condition = length(setsubtract([
      "s3:BypassGovernanceRetention", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketPolicy",
      "s3:PutBucketOwnershipControls", "s3:PutBucketPublicAccessBlock", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutReplicationConfiguration",
      "kms:DisableKey", "kms:ScheduleKeyDeletion", "cloudwatch:DeleteAlarms", "cloudwatch:DisableAlarmActions", "organizations:LeaveOrganization", "account:CloseAccount",
    ], flatten([for s in jsondecode(aws_organizations_policy.backup.content).Statement : s.Action]))) == 0
    error_message = "Something that takes the wall down is not denied."
  }

  assert {
    condition     = one([for s in jsondecode(aws_organizations_policy.backup.content).Statement : s.Resource if s.Sid == "DenyTakingRolesOver"]) == ["arn:aws:iam::222222222222:role/break-glass", "arn:aws:iam::222222222222:role/levee-*"]
    error_message = "Whose roles nobody changes."
  }

  assert {
    condition     = aws_organizations_policy.backup.type == "SERVICE_CONTROL_POLICY" && aws_organizations_policy_attachment.backup.target_id == "222222222222"
    error_message = "What the policy is attached to."
  }
}

run "objects_are_deleted_in_the_scratch_bucket_alone" {
  command = plan

  assert {
    condition     = { for s in jsondecode(aws_organizations_policy.backup.content).Statement : s.Sid => try(s.NotResource, s.Resource) if contains(flatten([s.Action]), "s3:DeleteObject") } == { DenyRemovalOfObjects = "arn:aws:s3:::levee-scratch-222222222222-*/*", DenyRemovalByOthers = "*" }
    error_message = "Where a worker may delete objects."
  }
}

run "scratch_bucket_may_have_another_name" {
  command = plan
  variables {
    scratch_bucket = "levee-drills-222222222222-us-east-1"
  }

  assert {
    condition     = [for s in jsondecode(aws_organizations_policy.backup.content).Statement : s.NotResource if can(s.NotResource)] == ["arn:aws:s3:::levee-drills-222222222222-us-east-1/*"]
    error_message = "Objects are deleted in another bucket."
  }
}

run "refused_a_scratch_bucket_with_a_wildcard" {
  command = plan
  variables {
    scratch_bucket = "levee-*"
  }
  expect_failures = [var.scratch_bucket]
}

run "refused_without_a_break_glass_principal" {
  command = plan
  variables {
    break_glass_arns = []
  }
  expect_failures = [var.break_glass_arns]
}
