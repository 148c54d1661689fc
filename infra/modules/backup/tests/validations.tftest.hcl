# Bad input is refused, with the variable that has it.

mock_provider "aws" {}

variables {
  account_id = "222222222222"
  region     = "us-east-1"
  sources    = { lake-events = { account_id = "111111111111" } }
}

run "refused_an_account_id_of_eleven_digits" {
  command = plan
  variables {
    account_id = "22222222222"
  }
  expect_failures = [var.account_id]
}

run "refused_a_name_in_capitals" {
  command = plan
  variables {
    name = "Levee"
  }
  expect_failures = [var.name]
}

run "refused_no_source" {
  command = plan
  variables {
    sources = {}
  }
  expect_failures = [var.sources]
}

run "refused_a_source_without_an_account" {
  command = plan
  variables {
    sources = { lake = { account_id = "1" } }
  }
  expect_failures = [var.sources]
}

run "refused_a_source_in_the_backup_account" {
  command = plan
  variables {
    sources = { lake = { account_id = "222222222222" } }
  }
  expect_failures = [var.sources]
}

run "refused_a_source_whose_dated_bucket_would_have_64_characters" {
  command = plan
  variables {
    sources = { lake-with-a-name-of-52-characters-xxxxxxxxxxxxxxxxxx = { account_id = "111111111111" } }
  }
  expect_failures = [var.sources]
}

run "refused_a_schedule_name_of_65_characters" {
  command = plan
  variables {
    name    = "a-name-of-20-letters"
    sources = { lake-with-a-name-of-44-characters-xxxxxxxxxx = { account_id = "111111111111" } }
  }
  expect_failures = [var.sources]
}

run "refused_a_limit_that_cloudwatch_cannot_look_back_to" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", completed_within_hours = 169 } }
  }
  expect_failures = [var.sources]
}

run "refused_a_snapshot_lock_without_days" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", snapshot = { object_lock = { mode = "GOVERNANCE", days = 0 } } } }
  }
  expect_failures = [var.sources]
}

run "refused_a_snapshot_lock_of_an_unknown_mode" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", snapshot = { object_lock = { mode = "LEGAL_HOLD", days = 1 } } } }
  }
  expect_failures = [var.sources]
}

run "refused_a_ledger_lock_of_an_unknown_mode" {
  command = plan
  variables {
    ledger_lock = { mode = "governance", days = 1 }
  }
  expect_failures = [var.ledger_lock]
}

run "refused_inventories_that_go_before_their_jobs_end" {
  command = plan
  variables {
    manifest_retention_days = 29
  }
  expect_failures = [var.manifest_retention_days]
}

run "refused_reports_that_go_before_they_are_read" {
  command = plan
  variables {
    report_retention_days = 29
  }
  expect_failures = [var.report_retention_days]
}

run "refused_a_stage_in_no_group" {
  command = plan
  variables {
    worker_groups = { all = ["manifest-ready", "bucket-provision", "job-submit", "job-poll"] }
  }
  expect_failures = [var.worker_groups]
}

run "refused_a_stage_in_two_groups" {
  command = plan
  variables {
    worker_groups = { all = ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "snapshot-check", "table-verify", "run-close", "restore-plan", "drill-plan", "drill-close"], more = ["job-poll"] }
  }
  expect_failures = [var.worker_groups]
}

run "refused_a_stage_that_does_not_exist" {
  command = plan
  variables {
    worker_groups = { all = ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "snapshot-check", "table-verify", "run-close", "restore-plan", "drill-plan", "drill-close"], more = ["job-paint"] }
  }
  expect_failures = [var.worker_groups]
}

run "refused_a_group_without_a_stage" {
  command = plan
  variables {
    worker_groups = { all = ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "snapshot-check", "table-verify", "run-close", "restore-plan", "drill-plan", "drill-close"], none = [] }
  }
  expect_failures = [var.worker_groups]
}

run "refused_a_group_name_with_a_space" {
  command = plan
  variables {
    worker_groups = { "all of them" = ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "snapshot-check", "table-verify", "run-close", "restore-plan", "drill-plan", "drill-close"] }
  }
  expect_failures = [var.worker_groups]
}

run "refused_a_maximum_below_the_minimum" {
  command = plan
  variables {
    ecs = { image = "levee", subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], minimum = 3, maximum = 2 }
  }
  expect_failures = [var.ecs]
}

run "refused_a_subscription_by_text_message" {
  command = plan
  variables {
    subscriptions = { me = { protocol = "sms", endpoint = "+4900000" } }
  }
  expect_failures = [var.subscriptions]
}

run "refused_a_severity_that_does_not_exist" {
  command = plan
  variables {
    subscriptions = { me = { protocol = "email", endpoint = "me@example.com", severities = ["fatal"] } }
  }
  expect_failures = [var.subscriptions]
}

run "refused_a_subscription_to_nothing" {
  command = plan
  variables {
    subscriptions = { me = { protocol = "email", endpoint = "me@example.com", severities = [] } }
  }
  expect_failures = [var.subscriptions]
}

run "a_source_in_the_backup_account_is_taken_when_asked_for" {
  command = plan
  variables {
    allow_same_account = true
    sources            = { lake = { account_id = "222222222222" } }
  }

  assert {
    condition     = contains(keys(aws_scheduler_schedule.source), "lake")
    error_message = "The source is left out."
  }
}

run "refused_more_sources_than_a_role_holds" {
  command = plan
  variables {
    sources = { for number in range(100) : "warehouse-bucket-with-a-long-name-${number}" => { account_id = "111111111111" } }
  }
  expect_failures = [aws_iam_role_policy.this]
}

run "refused_more_retries_than_a_run_takes" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", retries = 11 } }
  }
  expect_failures = [var.sources]
}

run "refused_half_a_retry" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", retries = 0.5 } }
  }
  expect_failures = [var.sources]
}

run "refused_slices_without_files" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", slice_files = 0 } }
  }
  expect_failures = [var.sources]
}

run "refused_half_a_file_of_a_slice" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", slice_files = 1.5 } }
  }
  expect_failures = [var.sources]
}

run "refused_a_pattern_with_prefix_and_glob" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", selection = { include = [{ prefix = "a", glob = "b" }] } } }
  }
  expect_failures = [var.sources]
}

run "refused_a_pattern_without_either" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", selection = { exclude = [{}] } } }
  }
  expect_failures = [var.sources]
}

run "refused_an_empty_pattern" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", selection = { include = [{ prefix = "" }] } } }
  }
  expect_failures = [var.sources]
}

run "refused_a_selection_of_an_unknown_class" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", selection = { storage_classes = ["COLD"] } } }
  }
  expect_failures = [var.sources]
}

run "refused_an_unknown_policy_for_archived_objects" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", archived = { policy = "thaw" } } }
  }
  expect_failures = [var.sources]
}

run "refused_an_unknown_restore_tier" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", archived = { policy = "restore", tier = "EXPEDITED" } } }
  }
  expect_failures = [var.sources]
}

run "refused_restored_copies_for_no_day" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", archived = { policy = "restore", days = 0 } } }
  }
  expect_failures = [var.sources]
}

run "refused_to_wait_for_restores_for_ever" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", archived = { policy = "restore", limit_hours = 337 } } }
  }
  expect_failures = [var.sources]
}

run "refused_a_snapshot_in_an_unknown_class" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111", snapshot = { storage_class = "COLD" } } }
  }
  expect_failures = [var.sources]
}
