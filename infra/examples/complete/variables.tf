variable "region" {
  description = "The Region of the sources and of the backup."
  type        = string
  default     = "us-east-1"
}

variable "backup_account_id" {
  description = "The backup account."
  type        = string
  default     = "222222222222"
}

variable "warehouse_account_id" {
  description = "The account of the sources."
  type        = string
  default     = "111111111111"
}

variable "backup_profile" {
  description = "The profile of the AWS configuration for the backup account."
  type        = string
  default     = "backup"
}

variable "warehouse_profile" {
  description = "The profile of the AWS configuration for the warehouse's account."
  type        = string
  default     = "warehouse"
}

variable "break_glass_arns" {
  description = "Roles that may delete snapshots and change their protection. The one that applies this configuration must be among them if it is to change it later."
  type        = list(string)
  default     = ["arn:aws:iam::222222222222:role/break-glass"]
}

variable "operator_arns" {
  description = "Principals that may run levee doctor."
  type        = list(string)
  default     = ["arn:aws:iam::222222222222:role/operators"]
}

variable "kms_key_arn" {
  description = "A key of the backup account for everything of Levee's there."
  type        = string
  default     = "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-3333-4444-555555555555"
}

variable "snapshot_kms_key_arn" {
  description = "A key of the backup account for the snapshots of lake-orders."
  type        = string
  default     = "arn:aws:kms:us-east-1:222222222222:key/22222222-3333-4444-5555-666666666666"
}

variable "orders_kms_key_arn" {
  description = "The key of the warehouse's account that objects of lake-orders are encrypted with."
  type        = string
  default     = "arn:aws:kms:us-east-1:111111111111:key/33333333-4444-5555-6666-777777777777"
}

variable "events_bucket_policy" {
  description = "The policy that lake-events has today, as JSON; \"\" when it has none."
  type        = string
  default     = ""
}

variable "image" {
  description = "The workers' image, by digest."
  type        = string
  default     = "222222222222.dkr.ecr.us-east-1.amazonaws.com/levee@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}

variable "subnet_ids" {
  description = "Private subnets with a NAT gateway or with VPC endpoints for ECR, logs, S3, SQS, Step Functions and EventBridge."
  type        = list(string)
  default     = ["subnet-0123456789abcdef0", "subnet-0fedcba9876543210"]
}

variable "security_group_ids" {
  description = "Security groups that let HTTPS out and nothing in."
  type        = list(string)
  default     = ["sg-0123456789abcdef0"]
}

variable "operators_email" {
  description = "Who is told of what went wrong."
  type        = string
  default     = "operators@example.com"
}

variable "incidents_url" {
  description = "The HTTPS endpoint of an incident system."
  type        = string
  default     = "https://incidents.example.com/levee"
}

variable "audit_queue_arn" {
  description = "A queue that gets every notification. Its policy must let the topic send."
  type        = string
  default     = "arn:aws:sqs:us-east-1:222222222222:levee-audit"
}

variable "restoring" {
  description = "Whether restores may write to lake-events: true for the time of one, and false again once it is over."
  type        = bool
  default     = false
}

variable "emulator" {
  description = "For a local emulator: path-style S3 and accounts for access keys; no S3 Inventory, no KMS, no ECS, and sources in the account that they are copied to."
  type        = bool
  default     = false
}
