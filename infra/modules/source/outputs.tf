output "bucket_policy_json" {
  description = "The bucket's policy with Levee's statements; for whoever owns the policy when `existing_bucket_policy` is null."
  value       = local.policy
}

output "bucket" {
  description = "The protected bucket."
  value       = var.bucket
}
