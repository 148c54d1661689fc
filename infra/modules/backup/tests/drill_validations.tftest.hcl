# What is refused of drills.

mock_provider "aws" {}

variables {
  account_id = "222222222222"
  region     = "us-east-1"
  sources    = { lake-events = { account_id = "111111111111" } }
  drills     = {}
}

run "refused_a_drill_once" {
  command = plan
  variables {
    drills = { schedule_expression = "at(2026-12-01T06:00:00)" }
  }
  expect_failures = [var.drills]
}

run "refused_a_drill_in_no_zone" {
  command = plan
  variables {
    drills = { time_zone = "" }
  }
  expect_failures = [var.drills]
}

run "refused_a_drill_of_no_table" {
  command = plan
  variables {
    drills = { tables = 0 }
  }
  expect_failures = [var.drills]
}

run "refused_a_drill_of_too_many_tables" {
  command = plan
  variables {
    drills = { tables = 101 }
  }
  expect_failures = [var.drills]
}

run "refused_half_a_table" {
  command = plan
  variables {
    drills = { tables = 1.5 }
  }
  expect_failures = [var.drills]
}

run "refused_no_limit" {
  command = plan
  variables {
    drills = { limit_days = 0 }
  }
  expect_failures = [var.drills]
}

run "refused_a_limit_that_nothing_remembers" {
  command = plan
  variables {
    drills = { limit_days = 22 }
  }
  expect_failures = [var.drills]
}

run "refused_to_drill_what_is_no_source" {
  command = plan
  variables {
    drills = { sources = ["lake"] }
  }
  expect_failures = [var.drills]
}

run "refused_to_drill_no_source" {
  command = plan
  variables {
    drills = { sources = [] }
  }
  expect_failures = [var.drills]
}

run "refused_two_schedules_of_one_name" {
  command = plan
  variables {
    sources = { lake = { account_id = "111111111111" }, drill-lake = { account_id = "111111111111" } }
  }
  expect_failures = [var.drills]
}

run "refused_to_empty_the_ledger" {
  command = plan
  variables {
    bucket_names = { scratch = "levee-ledger-222222222222-us-east-1" }
  }
  expect_failures = [var.drills]
}

run "refused_to_empty_a_source" {
  command = plan
  variables {
    bucket_names = { scratch = "lake-events" }
  }
  expect_failures = [var.drills]
}

run "refused_to_empty_a_snapshot" {
  command = plan
  variables {
    bucket_names = { scratch = "lake-events-31-mar-2026" }
  }
  expect_failures = [var.drills]
}

run "refused_to_empty_every_bucket" {
  command = plan
  variables {
    bucket_names = { scratch = "lake-*" }
  }
  expect_failures = [var.drills]
}

run "refused_to_restore_into_the_scratch_bucket" {
  command = plan
  variables {
    restores = { targets = { levee-scratch-222222222222-us-east-1 = { account_id = "222222222222" } } }
  }
  expect_failures = [var.restores]
}
