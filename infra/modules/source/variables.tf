variable "bucket" {
  description = "The bucket to protect. It need not be Terraform's."
  type        = string
}

variable "backup_account_id" {
  description = "The backup account: 12 digits."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.backup_account_id))
    error_message = "An account's id has 12 digits."
  }
}

variable "backup" {
  description = "The output `for_sources` of the backup module: the manifest bucket, the prefix, the roles that read, and those that write while restores are enabled."
  type = object({
    manifest_bucket  = string
    inventory_prefix = string
    copy_role_arn    = string
    reader_role_arns = list(string)
    # Those that copy large objects.
    copying_role_arns = optional(list(string), [])
    # Those of both that need the bytes, and so decrypt. The others send HEADs alone.
    decrypting_role_arns = optional(list(string), [])
    # The buckets whose archived objects the copy role restores.
    restored_buckets = optional(list(string), [])
    # There only while restores are enabled: the buckets that they write to, and the roles that do and that look there before.
    restore = optional(object({
      targets             = list(string)
      batch_role_arn      = string
      writing_role_arns   = list(string)
      verifying_role_arns = list(string)
      reading_role_arns   = list(string)
    }))
  })
}

variable "existing_bucket_policy" {
  description = <<-EOT
    The policy that the bucket has today, because a bucket has only one. There is no default: say which of the three it is.
      ""      the bucket has no policy: the module owns it
      JSON    the module adds its statements to it and owns it (aws s3api get-bucket-policy --bucket NAME --query Policy --output text)
      null    somebody else owns the policy: they add the output `bucket_policy_json` to it
  EOT
  type        = string

  validation {
    condition     = var.existing_bucket_policy == null ? true : var.existing_bucket_policy == "" || can(jsondecode(var.existing_bucket_policy).Statement)
    error_message = "Neither null nor \"\" nor the JSON of a bucket policy."
  }
}

variable "inventory_id" {
  description = "The id of the inventory configuration; the same as in the backup module's `sources`."
  type        = string
  default     = "levee-daily"
}

variable "inventory_kms_key_arn" {
  description = "A customer managed key, by its full ARN, that S3 encrypts the inventories with; SSE-S3 without it."
  type        = string
  default     = null
}

variable "kms_key_arns" {
  description = "Customer managed keys of this account that objects of the bucket are encrypted with. The module grants the copy role, and the readers that read bytes, to decrypt with them; the policies of the keys stay as they are."
  type        = list(string)
  default     = []
}

variable "create_inventory" {
  description = "False leaves the inventory configuration to somebody else, or to nobody on an emulator that has none."
  type        = bool
  default     = true
}
