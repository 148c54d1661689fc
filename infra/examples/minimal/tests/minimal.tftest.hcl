mock_provider "aws" {}
mock_provider "aws" {
  alias = "warehouse"
}

run "one_source_with_the_defaults_plans_in_under_40_lines" {
  command = plan

  assert {
    condition     = length(split("\n", trimspace(file("main.tf")))) < 40 && module.backup.deployment.version == 1
    error_message = "The example has grown to 40 lines or more."
  }

  assert {
    condition     = [for source in module.backup.deployment.sources : source.name] == ["lake-events"] && strcontains(module.lake_events.bucket_policy_json, module.backup.for_sources.copy_role_arn)
    error_message = "The source is not protected."
  }
}
