output "deployment" {
  description = "What `levee doctor` checks: terraform output -json deployment > deployment.json"
  value = {
    version           = 1
    name              = var.name
    region            = var.region
    account           = var.account_id
    manifest_bucket   = local.buckets.manifests
    report_bucket     = local.buckets.reports
    ledger_bucket     = local.buckets.ledger
    canary_bucket     = local.buckets.canary
    inventory_prefix  = var.inventory_prefix
    queue_prefix      = local.queue_prefix
    state_machine_arn = local.state_machine_arn
    event_bus         = local.event_bus_name
    topic_arn         = local.topic_arn
    copy_role_arn     = local.copy_role_arn
    schedule_group    = local.schedule_group
    break_glass_arns  = var.break_glass_arns
    kms_key_arn       = var.kms_key_arn
    ledger_lock       = var.ledger_lock
    sources = [for name, source in var.sources : {
      name         = name
      account      = source.account_id
      inventory_id = source.inventory_id
      schedule     = local.schedule_names[name]
      enabled      = source.enabled
      kms_key_arns = source.kms_key_arns
      snapshot = {
        kms_key_arn   = source.snapshot.kms_key_arn
        object_lock   = source.snapshot.object_lock
        storage_class = source.snapshot.storage_class
      }
    }]
  }
}

output "for_sources" {
  description = "What the source module takes as `backup`."
  value = merge({
    manifest_bucket   = local.buckets.manifests
    inventory_prefix  = var.inventory_prefix
    copy_role_arn     = local.copy_role_arn
    reader_role_arns  = concat(local.looking_role_arns, length(var.operator_arns) > 0 ? [local.doctor_role_arn] : [])
    copying_role_arns = local.copying_role_arns
    # The buckets whose archived objects the copy role restores.
    restored_buckets = local.thawed_sources
    # report-parse and thaw send HEADs alone and get no key: should S3 ask for one, the row stays outstanding as denied.
    decrypting_role_arns = concat(local.copying_role_arns, length(var.operator_arns) > 0 ? [local.doctor_role_arn] : [])
    },
    # Who writes to the targets of restores, and reads there, while they are enabled.
    { for member, value in { restore = {
      targets             = local.restore_targets
      batch_role_arn      = local.restore_role_arn
      writing_role_arns   = [for group, stages in var.worker_groups : local.worker_role_arns[group] if contains(stages, "large-copy")]
      verifying_role_arns = [for group, stages in var.worker_groups : local.worker_role_arns[group] if contains(stages, "table-verify")]
      reading_role_arns   = [for group, stages in var.worker_groups : local.worker_role_arns[group] if contains(stages, "restore-plan")]
    } } : member => value if var.restores != null },
  )

  # S3 refuses a policy, and KMS a grant, for a role that is not there yet; and no inventory may come before it is let in.
  depends_on = [aws_iam_role.this, aws_s3_bucket_policy.this]
}

output "restore_state_machine_arn" {
  description = "The state machine of restores, which `levee restore apply` starts."
  value       = local.restore_state_machine_arn
}

output "drill_state_machine_arn" {
  description = "The state machine of drills; null while there are none."
  value       = local.drilling ? local.drill_state_machine_arn : null
}

output "scratch_bucket" {
  description = "The bucket that drills restore into; null while there are none."
  value       = local.drilling ? local.scratch_bucket : null
}

output "drill_role_arn" {
  description = "The role that S3 Batch Operations restores into the scratch bucket with; null while there are no drills."
  value       = local.drilling ? local.drill_role_arn : null
}

output "role_arns" {
  description = "The roles by what they are for: batch-copy, batch-restore while restores are enabled, batch-drill while there are drills, state-machine, scheduler, worker-<group>, task-execution, doctor."
  value       = { for name, role in local.roles : name => "${local.role_arn_prefix}${name}" }
}

output "worker_environment" {
  description = "The settings of the workers as environment variables, for workers that run outside of ECS."
  value       = local.worker_environment
}
