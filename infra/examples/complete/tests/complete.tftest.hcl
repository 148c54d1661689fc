mock_provider "aws" {}
mock_provider "aws" {
  alias = "warehouse"
}

run "two_sources_with_every_option_plan" {
  command = plan

  assert {
    condition     = [for source in output.deployment.sources : source.name] == ["lake-events", "lake-orders"] && output.deployment.canary_bucket == "levee-probes-222222222222-us-east-1"
    error_message = "The sources or the names are not those of the configuration."
  }

  # The inventory lands where the run looks for it.
  assert {
    condition     = [for source in output.deployment.sources : source.inventory_id] == ["levee-daily", "levee-nightly"] && alltrue([for source in output.deployment.sources : source.account == "111111111111"])
    error_message = "Source and backup module do not say the same."
  }

  assert {
    condition     = !contains(keys(output.worker_environment), "LEVEE_RESTORE_ROLE_ARN") && !strcontains(module.lake_events.bucket_policy_json, "LeveeRestore")
    error_message = "Whoever begins with this example lets restores write."
  }
}

run "drills_write_into_the_scratch_bucket_and_into_no_source" {
  command = plan

  assert {
    condition = (
      output.worker_environment.LEVEE_DRILL_ROLE_ARN == "arn:aws:iam::222222222222:role/levee-batch-drill"
      && output.drill_state_machine_arn == "arn:aws:states:us-east-1:222222222222:stateMachine:levee-drill"
      && module.backup.scratch_bucket == "levee-drills-222222222222-us-east-1"
      && alltrue([for policy in [module.lake_events.bucket_policy_json, module.lake_orders.bucket_policy_json] : !strcontains(policy, "drill")])
    )
    error_message = "Drills are not set, or a source lets them in."
  }
}

run "while_restoring_one_source_is_written_to_and_the_other_is_not" {
  command = plan
  variables {
    restoring = true
  }

  assert {
    condition = (
      output.worker_environment.LEVEE_RESTORE_ROLE_ARN == "arn:aws:iam::222222222222:role/levee-batch-restore"
      && output.restore_state_machine_arn == "arn:aws:states:us-east-1:222222222222:stateMachine:levee-restore"
      && contains([for s in jsondecode(module.lake_events.bucket_policy_json).Statement : s.Sid], "LeveeRestoreBatchWrites")
      && !strcontains(module.lake_orders.bucket_policy_json, "LeveeRestore")
    )
    error_message = "Restores are not enabled for the one source, or for another one too."
  }
}

run "an_emulator_gets_what_it_can_do" {
  command = plan
  variables {
    emulator = true
  }

  assert {
    condition     = output.deployment.kms_key_arn == null && alltrue([for source in output.deployment.sources : source.account == output.deployment.account])
    error_message = "Something is left that an emulator cannot do."
  }
}
