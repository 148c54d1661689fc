# Restores: what their state machine is, that nothing may write to a source while they are off, and what may while they are on.

mock_provider "aws" {}

variables {
  account_id    = "222222222222"
  region        = "us-east-1"
  operator_arns = ["arn:aws:iam::222222222222:role/operators"]
  kms_key_arn   = "arn:aws:kms:us-east-1:222222222222:key/own"
  sources = {
    lake-events = {
      account_id   = "111111111111"
      kms_key_arns = ["arn:aws:kms:us-east-1:111111111111:key/events"]
      archived     = { policy = "restore" }
      snapshot     = { kms_key_arn = "arn:aws:kms:us-east-1:222222222222:key/snapshots" }
    }
    lake-orders = { account_id = "111111111111" }
  }
}

run "state_machine_of_restores_is_there_with_the_queues_filled_in" {
  command = plan

  assert {
    condition     = aws_sfn_state_machine.restore.definition == replace(file("../../../statemachine/restore.asl.json"), "$${queue_url_prefix}", "https://sqs.us-east-1.amazonaws.com/222222222222/levee-")
    error_message = "The definition is not that of statemachine/restore.asl.json."
  }

  assert {
    condition = toset([for name, state in jsondecode(aws_sfn_state_machine.restore.definition).States : state.Parameters.QueueUrl if state.Type == "Task"]) == toset([
      for stage in ["restore-plan", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "table-verify", "run-close"] : "https://sqs.us-east-1.amazonaws.com/222222222222/levee-${stage}"
    ])
    error_message = "The tasks do not go to the queues of the stages, or stages that a restore passes have no right to its records."
  }

  assert {
    condition = (
      aws_sfn_state_machine.restore.name == "levee-restore"
      && aws_sfn_state_machine.restore.type == "STANDARD"
      && aws_sfn_state_machine.restore.role_arn == aws_sfn_state_machine.backup.role_arn
      && aws_sfn_state_machine.restore.logging_configuration[0].level == "ALL"
      && aws_sfn_state_machine.restore.logging_configuration[0].include_execution_data == true
      && aws_sfn_state_machine.restore.logging_configuration[0].log_destination == "arn:aws:logs:us-east-1:222222222222:log-group:/aws/vendedlogs/states/levee-restore:*"
      && aws_sfn_state_machine.restore.tracing_configuration[0].enabled == false
      && aws_cloudwatch_log_group.restores.name == "/aws/vendedlogs/states/levee-restore"
      && aws_cloudwatch_log_group.restores.retention_in_days == 365
    )
    error_message = "Name, kind, role, log or tracing of the state machine."
  }

  assert {
    condition     = output.restore_state_machine_arn == "arn:aws:states:us-east-1:222222222222:stateMachine:levee-restore" && output.deployment.state_machine_arn == "arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup"
    error_message = "Which state machine is which."
  }
}

run "while_restores_are_off_nothing_writes_to_a_source_and_nothing_of_them_is_there" {
  command = plan

  # The dated buckets have other names than the sources, so no pattern of theirs matches one.
  assert {
    condition = alltrue(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : [
      for action in flatten([s.Action]) : [for arn in flatten([s.Resource]) :
        !(startswith(arn, "arn:aws:s3:::lake-events") || startswith(arn, "arn:aws:s3:::lake-orders")) || can(regex("^arn:aws:s3:::lake-[a-z]+-\\?\\?-\\?\\?\\?-\\?\\?\\?\\?(/\\*)?$", arn))
        || contains(concat(["s3:ListBucket", "s3:RestoreObject"], ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"]), action)
      ]
    ]]]))
    error_message = "A role has more than reading to do in a source."
  }

  # s3:CreateJob and s3:ListJobs know no resource; what a job may write is its role's.
  assert {
    condition = alltrue(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : [
      for action in flatten([s.Action]) : [for arn in flatten([s.Resource]) :
        !startswith(action, "s3:") || contains(["s3:CreateJob", "s3:ListJobs", "s3:ListAllMyBuckets"], action) || startswith(arn, "arn:aws:s3:::l") || startswith(arn, "arn:aws:s3:us-east-1:222222222222:job/")
      ]
    ]]]))
    error_message = "A role has an action of S3 on every bucket."
  }

  assert {
    condition     = toset(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : flatten([s.Resource]) if contains(flatten([s.Action]), "iam:PassRole")]])) == toset(["arn:aws:iam::222222222222:role/levee-batch-copy"])
    error_message = "Another role than that of the copies is handed over."
  }

  assert {
    condition = toset(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : flatten([s.Resource]) if contains(flatten([s.Action]), "kms:GenerateDataKey")]])) == toset([
      "arn:aws:kms:us-east-1:222222222222:key/own", "arn:aws:kms:us-east-1:222222222222:key/snapshots",
    ])
    error_message = "A role writes under a key of the warehouse."
  }

  assert {
    condition     = !contains(keys(aws_iam_role.this), "batch-restore") && !contains(keys(output.role_arns), "batch-restore") && !contains(keys(output.worker_environment), "LEVEE_RESTORE_ROLE_ARN") && !contains(keys(output.for_sources), "restore")
    error_message = "The role, the setting or the part of the sources is there."
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-restore-plan"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      AnswersTasks                       = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
      ListsTheLedger                     = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
      ReadsTheLedger                     = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*"
      UsesTheDeploymentsKey              = "Allow kms:Decrypt kms:GenerateDataKey on arn:aws:kms:us-east-1:222222222222:key/own"
      RestorePlanWorksOnItsQueue         = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-restore-plan"
      RestorePlanSetsMessagesAside       = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-restore-plan-dlq"
      RestorePlanWritesItsRecords        = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/claim-*.json arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/planned.json arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/plan-*"
      RestorePlanGivesUpUploads          = "Allow s3:AbortMultipartUpload on arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/plan-*"
      RestorePlanAsksForTheOwnerOfAClaim = "Allow states:DescribeExecution on arn:aws:states:us-east-1:222222222222:execution:levee-restore:*"
      RestorePlanTellsOfRestores         = "Allow events:PutEvents on arn:aws:events:us-east-1:222222222222:event-bus/levee"
    }
    error_message = "restore-plan"
  }
}

run "while_restores_are_on_each_role_has_what_it_restores_with_and_no_more" {
  command = plan
  variables {
    restores = { targets = {
      lake-events   = { account_id = "111111111111", kms_key_arns = ["arn:aws:kms:us-east-1:111111111111:key/events"] }
      lake-restored = { account_id = "333333333333", kms_key_arns = ["arn:aws:kms:us-east-1:333333333333:key/restored"] }
    } }
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["batch-restore"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      ReadsSnapshots         = "Allow s3:GetObject s3:GetObjectVersion s3:GetObjectAcl s3:GetObjectVersionAcl s3:GetObjectTagging s3:GetObjectVersionTagging on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
      ListsSnapshots         = "Allow s3:ListBucket on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      RestoresArchivedCopies = "Allow s3:RestoreObject on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
      ReadsManifests         = "Allow s3:GetObject s3:GetObjectVersion on arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/plan-*.csv arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*-retry.csv arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*-held.csv arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*-again.csv"
      WritesTargets          = "Allow s3:PutObject s3:PutObjectAcl s3:PutObjectVersionAcl s3:PutObjectTagging s3:PutObjectVersionTagging on arn:aws:s3:::lake-events/* arn:aws:s3:::lake-restored/*"
      WritesReports          = "Allow s3:PutObject on arn:aws:s3:::levee-reports-222222222222-us-east-1/*"
      DecryptsSnapshots      = "Allow kms:Decrypt on arn:aws:kms:us-east-1:222222222222:key/snapshots"
      EncryptsTargets        = "Allow kms:GenerateDataKey kms:Decrypt on arn:aws:kms:us-east-1:111111111111:key/events arn:aws:kms:us-east-1:333333333333:key/restored"
      UsesTheDeploymentsKey  = "Allow kms:Decrypt kms:GenerateDataKey on arn:aws:kms:us-east-1:222222222222:key/own"
    }
    error_message = "The statements of the role of the restores."
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["batch-restore"].policy).Statement : s.Sid => s.Condition if can(s.Condition) } == {
      WritesTargets = { StringEquals = { "aws:ResourceAccount" = ["111111111111", "333333333333"] } }
      WritesReports = { StringEquals = { "aws:ResourceAccount" = "222222222222" } }
    }
    error_message = "Writes are not pinned to the accounts of the targets, or something else is."
  }

  assert {
    condition     = aws_iam_role.this["batch-restore"].assume_role_policy == aws_iam_role.this["batch-copy"].assume_role_policy
    error_message = "The trust of the role of the restores."
  }

  # What a worker has beyond run "while_restores_are_off…".
  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-restore-plan"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) if strcontains(jsonencode(s), ":lake-") || startswith(s.Sid, "RestorePlanDecrypts") } == {
      RestorePlanReadsSnapshots = "Allow s3:GetObject on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
      RestorePlanListsSnapshots = "Allow s3:ListBucket on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      RestorePlanReadsTargets   = "Allow s3:GetObject on arn:aws:s3:::lake-events/* arn:aws:s3:::lake-restored/*"
      RestorePlanListsTargets   = "Allow s3:ListBucket on arn:aws:s3:::lake-events arn:aws:s3:::lake-restored"
      RestorePlanDecryptsLogs   = "Allow kms:Decrypt on arn:aws:kms:us-east-1:222222222222:key/snapshots arn:aws:kms:us-east-1:111111111111:key/events arn:aws:kms:us-east-1:333333333333:key/restored"
    }
    error_message = "restore-plan"
  }

  assert {
    condition = { for stage in ["job-submit", "report-parse", "thaw"] : stage => { for s in jsondecode(aws_iam_role_policy.this["worker-${stage}"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) if strcontains(jsonencode(s), "-??-") || strcontains(jsonencode(s), "batch-restore") } } == {
      job-submit = {
        JobSubmitHandsTheRestoreRoleOver = "Allow iam:PassRole on arn:aws:iam::222222222222:role/levee-batch-restore"
      }
      report-parse = {
        ReportParseLooksForCopies = "Allow s3:GetObject on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
        ReportParseListsSnapshots = "Allow s3:ListBucket on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      }
      thaw = {
        ThawHandsTheRestoreRoleOver = "Allow iam:PassRole on arn:aws:iam::222222222222:role/levee-batch-restore"
        ThawLooksAtCopies           = "Allow s3:GetObject on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
        ThawListsSnapshots          = "Allow s3:ListBucket on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      }
    }
    error_message = "What makes jobs and looks at what became of them."
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-large-copy"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) if strcontains(s.Sid, "Snapshots") || strcontains(s.Sid, "Targets") || strcontains(s.Sid, "Parts") || strcontains(s.Sid, "FindsUploads") || strcontains(jsonencode(s), "lake-restored") } == {
      LargeCopyReadsSnapshots  = "Allow s3:GetObjectVersion s3:GetObjectVersionTagging on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
      LargeCopyWritesTargets   = "Allow s3:PutObject s3:PutObjectTagging s3:AbortMultipartUpload on arn:aws:s3:::lake-events/* arn:aws:s3:::lake-restored/*"
      LargeCopyLooksAtParts    = "Allow s3:ListMultipartUploadParts on arn:aws:s3:::lake-events/* arn:aws:s3:::lake-restored/*"
      LargeCopyFindsUploads    = "Allow s3:ListBucketMultipartUploads on arn:aws:s3:::lake-events arn:aws:s3:::lake-restored"
      LargeCopyLooksAtTargets  = "Allow s3:GetObject on arn:aws:s3:::lake-restored/*"
      LargeCopyListsTargets    = "Allow s3:ListBucket on arn:aws:s3:::lake-restored"
      LargeCopyEncryptsTargets = "Allow kms:GenerateDataKey on arn:aws:kms:us-east-1:111111111111:key/events arn:aws:kms:us-east-1:333333333333:key/restored"
      LargeCopyDecryptsTargets = "Allow kms:Decrypt on arn:aws:kms:us-east-1:333333333333:key/restored"
    }
    error_message = "large-copy"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-table-verify"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) if strcontains(s.Sid, "Logs") || strcontains(s.Sid, "Targets") || strcontains(jsonencode(s), "lake-restored") } == {
      TableVerifyWritesLogs      = "Allow s3:PutObject on arn:aws:s3:::lake-events/*_delta_log/* arn:aws:s3:::lake-restored/*_delta_log/*"
      TableVerifyReadsTargets    = "Allow s3:GetObject on arn:aws:s3:::lake-restored/*"
      TableVerifyListsTargets    = "Allow s3:ListBucket on arn:aws:s3:::lake-restored"
      TableVerifyEncryptsLogs    = "Allow kms:GenerateDataKey on arn:aws:kms:us-east-1:111111111111:key/events arn:aws:kms:us-east-1:333333333333:key/restored"
      TableVerifyDecryptsTargets = "Allow kms:Decrypt on arn:aws:kms:us-east-1:333333333333:key/restored"
    }
    error_message = "table-verify"
  }

  # Whoever puts an object into a target, and that each of them does so in the accounts of the targets alone.
  assert {
    condition = { for name, policy in aws_iam_role_policy.this : name => [for s in jsondecode(policy.policy).Statement : s.Condition if contains(flatten([s.Action]), "s3:PutObject") && length(setintersection(flatten([s.Resource]), ["arn:aws:s3:::lake-events/*", "arn:aws:s3:::lake-events/*_delta_log/*"])) > 0] if strcontains(policy.policy, "arn:aws:s3:::lake-restored") && name != "worker-restore-plan" } == {
      for name in ["batch-restore", "worker-large-copy", "worker-table-verify"] : name => [{ StringEquals = { "aws:ResourceAccount" = ["111111111111", "333333333333"] } }]
    }
    error_message = "A bucket of a stranger under a target's name may be written to, or another role writes."
  }

  # lake-orders is a source and no target.
  assert {
    condition = alltrue(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : [
      for action in flatten([s.Action]) : !strcontains(action, ":Put") && !strcontains(action, "Multipart")
    ] if length(setintersection(flatten([s.Resource]), ["arn:aws:s3:::lake-orders", "arn:aws:s3:::lake-orders/*", "arn:aws:s3:::lake-orders/*_delta_log/*"])) > 0]]))
    error_message = "A source that is no target may be written to."
  }

  assert {
    condition = alltrue(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : [for action in flatten([s.Action]) :
    !strcontains(action, "*") && (!strcontains(action, ":Delete") || contains(["sqs:DeleteMessage", "logs:DeleteLogDelivery"], action)) && !strcontains(action, "Bypass")]]]))
    error_message = "An action is a wildcard, deletes something, or bypasses retention."
  }

  assert {
    condition     = output.worker_environment.LEVEE_RESTORE_ROLE_ARN == "arn:aws:iam::222222222222:role/levee-batch-restore" && output.role_arns["batch-restore"] == "arn:aws:iam::222222222222:role/levee-batch-restore"
    error_message = "The workers are not told the role."
  }

  assert {
    condition = jsonencode(output.for_sources.restore) == jsonencode({
      targets             = ["lake-events", "lake-restored"]
      batch_role_arn      = "arn:aws:iam::222222222222:role/levee-batch-restore"
      writing_role_arns   = ["arn:aws:iam::222222222222:role/levee-worker-large-copy"]
      verifying_role_arns = ["arn:aws:iam::222222222222:role/levee-worker-table-verify"]
      reading_role_arns   = ["arn:aws:iam::222222222222:role/levee-worker-restore-plan"]
    })
    error_message = "What sources are given."
  }
}

run "without_keys_and_with_sources_alone_there_are_no_statements_about_nothing" {
  command = plan
  variables {
    kms_key_arn = null
    sources     = { lake-events = { account_id = "111111111111" } }
    restores    = { targets = { lake-events = { account_id = "111111111111" } } }
  }

  assert {
    condition     = alltrue(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : length(flatten([s.Resource])) > 0 && alltrue([for action in flatten([s.Action]) : !startswith(action, "kms:")])]]))
    error_message = "A statement is about nothing, or about keys that are not there."
  }
}

run "a_group_has_the_calls_of_its_stages_each_once" {
  command = plan
  variables {
    worker_groups = { first = ["manifest-ready", "bucket-provision", "job-submit", "job-poll"], second = ["report-parse", "thaw", "large-copy"], third = ["snapshot-check", "table-verify", "run-close", "restore-plan"], fourth = ["drill-plan", "drill-close"] }
    restores      = { targets = { lake-events = { account_id = "111111111111" } } }
  }

  assert {
    condition     = alltrue([for name, policy in aws_iam_role_policy.this : length(jsondecode(policy.policy).Statement) == length(distinct([for s in jsondecode(policy.policy).Statement : s.Sid]))])
    error_message = "Two statements have one Sid, which IAM refuses."
  }

  assert {
    condition = jsonencode(output.for_sources.restore) == jsonencode({
      targets             = ["lake-events"]
      batch_role_arn      = "arn:aws:iam::222222222222:role/levee-batch-restore"
      writing_role_arns   = ["arn:aws:iam::222222222222:role/levee-worker-second"]
      verifying_role_arns = ["arn:aws:iam::222222222222:role/levee-worker-third"]
      reading_role_arns   = ["arn:aws:iam::222222222222:role/levee-worker-third"]
    })
    error_message = "The groups are not those of the stages."
  }
}

run "snapshots_may_be_those_of_some_sources" {
  command = plan
  variables {
    restores = { sources = ["lake-orders"], targets = { lake-orders = { account_id = "111111111111" } } }
  }

  assert {
    condition = alltrue([for name, policy in aws_iam_role_policy.this : !strcontains(policy.policy, "lake-events-??") if contains(["batch-restore", "worker-restore-plan", "worker-report-parse", "worker-thaw"], name)]) && [for s in jsondecode(aws_iam_role_policy.this["batch-restore"].policy).Statement : s.Resource if s.Sid == "ListsSnapshots"] == [["arn:aws:s3:::lake-orders-??-???-????"]] && [
    for s in jsondecode(aws_iam_role_policy.this["worker-large-copy"].policy).Statement : s.Resource if s.Sid == "LargeCopyReadsSnapshots"] == [["arn:aws:s3:::lake-orders-??-???-????/*"]]
    error_message = "The snapshots of another source are read."
  }
}

run "refused_to_restore_from_what_is_no_source" {
  command = plan
  variables {
    restores = { sources = ["lake"], targets = { lake-orders = { account_id = "111111111111" } } }
  }
  expect_failures = [var.restores]
}

run "refused_to_restore_from_no_source" {
  command = plan
  variables {
    restores = { sources = [], targets = { lake-orders = { account_id = "111111111111" } } }
  }
  expect_failures = [var.restores]
}

run "refused_restores_into_nothing" {
  command = plan
  variables {
    restores = { targets = {} }
  }
  expect_failures = [var.restores]
}

run "refused_a_target_with_a_wildcard" {
  command = plan
  variables {
    restores = { targets = { "lake-*" = { account_id = "111111111111" } } }
  }
  expect_failures = [var.restores]
}

run "refused_a_target_without_an_account" {
  command = plan
  variables {
    restores = { targets = { lake-events = { account_id = "1" } } }
  }
  expect_failures = [var.restores]
}

run "refused_a_target_with_another_account_than_the_source_has" {
  command = plan
  variables {
    restores = { targets = { lake-events = { account_id = "333333333333" } } }
  }
  expect_failures = [var.restores]
}

run "refused_to_write_into_a_snapshot" {
  command = plan
  variables {
    restores = { targets = { lake-events-31-mar-2026 = { account_id = "222222222222" } } }
  }
  expect_failures = [var.restores]
}

run "refused_to_write_into_the_ledger" {
  command = plan
  variables {
    restores = { targets = { levee-ledger-222222222222-us-east-1 = { account_id = "222222222222" } } }
  }
  expect_failures = [var.restores]
}

run "refused_an_alias_in_place_of_a_key" {
  command = plan
  variables {
    restores = { targets = { lake-events = { account_id = "111111111111", kms_key_arns = ["arn:aws:kms:us-east-1:111111111111:alias/events"] } } }
  }
  expect_failures = [var.restores]
}
