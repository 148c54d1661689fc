# A service control policy for the backup account: what its own administrators, and whoever stole their credentials, cannot
# do there. Applied in the organisation's management account. It binds the root of the backup account too, which bucket
# policies alone do not; service-linked roles and the management account are never bound.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 6.0"
    }
  }
}

variable "backup_account_id" {
  description = "The account to protect."
  type        = string
}

variable "name" {
  description = "The `name` of the deployment."
  type        = string
  default     = "levee"
}

variable "scratch_bucket" {
  description = "The scratch bucket of drills, the backup module's `bucket_names.scratch`; by its default name without it."
  type        = string
  default     = null

  validation {
    condition     = var.scratch_bucket == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.scratch_bucket))
    error_message = "A bucket's name has 3 to 63 characters out of a-z, 0-9, `.` and `-`, without wildcards: whatever it names may be deleted."
  }
}

variable "break_glass_arns" {
  description = "The principals that the policy does not bind, the same as the backup module's. Apply the backup module with one of them."
  type        = list(string)

  validation {
    condition     = length(var.break_glass_arns) > 0
    error_message = "Without a break-glass principal nobody could ever mend the account."
  }
}

locals {
  role_prefix = "arn:aws:iam::${var.backup_account_id}:role/${var.name}-"
  # The worker that makes snapshot buckets writes their settings, before the bucket's own policy denies them to it too. Its
  # group may have another name than the stage.
  workers = "${local.role_prefix}worker-*"

  # By default <name>-scratch-<account>-<region>.
  scratch_bucket = coalesce(var.scratch_bucket, "${var.name}-scratch-${var.backup_account_id}-*")

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "DenyRemoval"
        Effect   = "Deny"
        Resource = "*"
        Action = [
          "s3:BypassGovernanceRetention",
          "s3:DeleteBucket",
          "s3:DeleteBucketPolicy",
          "s3:DeleteObjectVersion",
          "s3:PutReplicationConfiguration",
          "s3:PutAccountPublicAccessBlock",
        ]
        Condition = { ArnNotLike = { "aws:PrincipalArn" = var.break_glass_arns } }
      },
      {
        # The worker that closes drills empties their scratch bucket, in which nothing else ever is.
        Sid         = "DenyRemovalOfObjects"
        Effect      = "Deny"
        NotResource = "arn:aws:s3:::${local.scratch_bucket}/*"
        Action      = "s3:DeleteObject"
        Condition   = { ArnNotLike = { "aws:PrincipalArn" = var.break_glass_arns } }
      },
      {
        # There too it is a worker that deletes, and nobody else.
        Sid       = "DenyRemovalByOthers"
        Effect    = "Deny"
        Resource  = "*"
        Action    = "s3:DeleteObject"
        Condition = { ArnNotLike = { "aws:PrincipalArn" = concat(var.break_glass_arns, [local.workers]) } }
      },
      {
        Sid      = "DenyWeakerBuckets"
        Effect   = "Deny"
        Resource = "*"
        Action = [
          "s3:PutBucketObjectLockConfiguration",
          "s3:PutBucketOwnershipControls",
          "s3:PutBucketPolicy",
          "s3:PutBucketPublicAccessBlock",
          "s3:PutBucketVersioning",
          "s3:PutEncryptionConfiguration",
          "s3:PutLifecycleConfiguration",
        ]
        Condition = { ArnNotLike = { "aws:PrincipalArn" = concat(var.break_glass_arns, [local.workers]) } }
      },
      {
        Sid       = "DenyLosingKeys"
        Effect    = "Deny"
        Resource  = "*"
        Action    = ["kms:DisableKey", "kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial", "kms:PutKeyPolicy", "kms:RevokeGrant"]
        Condition = { ArnNotLike = { "aws:PrincipalArn" = var.break_glass_arns } }
      },
      {
        Sid      = "DenySilence"
        Effect   = "Deny"
        Resource = "*"
        Action = [
          "cloudwatch:DeleteAlarms",
          "cloudwatch:DisableAlarmActions",
          "cloudwatch:PutMetricAlarm",
          "cloudtrail:DeleteTrail",
          "cloudtrail:StopLogging",
          "cloudtrail:UpdateTrail",
          "events:DeleteRule",
          "events:DisableRule",
          "events:PutRule",
          "events:RemoveTargets",
          "scheduler:DeleteSchedule",
          "scheduler:UpdateSchedule",
          "sns:DeleteTopic",
          "sns:SetSubscriptionAttributes",
          "sns:SetTopicAttributes",
          "sns:Unsubscribe",
          "states:DeleteStateMachine",
          "states:UpdateStateMachine",
        ]
        Condition = { ArnNotLike = { "aws:PrincipalArn" = var.break_glass_arns } }
      },
      {
        # Otherwise an administrator takes on what the other statements leave open.
        Sid      = "DenyTakingRolesOver"
        Effect   = "Deny"
        Resource = concat(var.break_glass_arns, ["${local.role_prefix}*"])
        Action = [
          "iam:AttachRolePolicy",
          "iam:CreateRole",
          "iam:DeleteRole",
          "iam:DeleteRolePolicy",
          "iam:DetachRolePolicy",
          "iam:PutRolePolicy",
          "iam:UpdateAssumeRolePolicy",
        ]
        Condition = { ArnNotLike = { "aws:PrincipalArn" = var.break_glass_arns } }
      },
      {
        Sid      = "DenyLeaving"
        Effect   = "Deny"
        Resource = "*"
        Action   = ["organizations:LeaveOrganization", "account:CloseAccount"]
      },
    ]
  })
}

resource "aws_organizations_policy" "backup" {
  name        = "${var.name}-backup-account"
  description = "Keeps the backups of ${var.name} from being removed or silenced"
  type        = "SERVICE_CONTROL_POLICY"
  content     = local.policy

  lifecycle {
    precondition {
      condition     = length(local.policy) <= 5120
      error_message = "A service control policy has at most 5,120 characters."
    }
  }
}

resource "aws_organizations_policy_attachment" "backup" {
  policy_id = aws_organizations_policy.backup.id
  target_id = var.backup_account_id
}
