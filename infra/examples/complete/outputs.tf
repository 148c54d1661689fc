output "deployment" {
  description = "What levee doctor checks: terraform output -json deployment > deployment.json"
  value       = module.backup.deployment
}

output "restore_state_machine_arn" {
  description = "The state machine of restores."
  value       = module.backup.restore_state_machine_arn
}

output "drill_state_machine_arn" {
  description = "The state machine of drills."
  value       = module.backup.drill_state_machine_arn
}

output "worker_environment" {
  description = "The settings of workers that run outside of ECS."
  value       = module.backup.worker_environment
}
