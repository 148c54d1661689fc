# Drills: that nothing of them is there while there are none, and who may do what in the scratch bucket while there are.

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
    lake-orders = { account_id = "111111111111", enabled = false }
  }
}

run "without_drills_nothing_of_them_is_there" {
  command = plan

  assert {
    condition = alltrue([
      length(aws_s3_bucket.scratch) + length(aws_s3_bucket_policy.scratch) + length(aws_sfn_state_machine.drill) + length(aws_cloudwatch_log_group.drills) == 0,
      length(aws_scheduler_schedule.drill) + length(aws_sqs_queue.drilled) + length(aws_cloudwatch_event_target.drilled) + length(aws_cloudwatch_metric_alarm.not_drilled) == 0,
      !anytrue([for key in concat(keys(aws_cloudwatch_event_rule.this), keys(aws_cloudwatch_metric_alarm.this)) : startswith(key, "drill") && !endswith(key, "-dlq-not-empty")]),
      !contains(keys(aws_iam_role.this), "batch-drill") && !contains(keys(output.role_arns), "batch-drill") && !contains(keys(output.worker_environment), "LEVEE_DRILL_ROLE_ARN"),
      output.drill_state_machine_arn == null && output.scratch_bucket == null && output.drill_role_arn == null,
    ])
    error_message = "Something of drills is there."
  }

  assert {
    condition     = alltrue([for name, policy in aws_iam_role_policy.this : !strcontains(policy.policy, "scratch") && !strcontains(policy.policy, "levee-drill:") && !strcontains(policy.policy, "batch-drill")])
    error_message = "A role has a right that only drills need."
  }

  assert {
    condition = alltrue(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : [for action in flatten([s.Action]) :
    !strcontains(action, ":Delete") || contains(["sqs:DeleteMessage", "logs:DeleteLogDelivery"], action)]]]))
    error_message = "A role deletes something."
  }

  # Their queues and groups are always there, as that of restore-plan is.
  assert {
    condition = { for stage in ["drill-plan", "drill-close"] : stage => { for s in jsondecode(aws_iam_role_policy.this["worker-${stage}"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } } == {
      drill-plan = {
        AnswersTasks               = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
        ListsTheLedger             = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
        ReadsTheLedger             = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/drills/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/drill-plans/*"
        UsesTheDeploymentsKey      = "Allow kms:Decrypt kms:GenerateDataKey on arn:aws:kms:us-east-1:222222222222:key/own"
        DrillPlanWorksOnItsQueue   = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-drill-plan"
        DrillPlanSetsMessagesAside = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-drill-plan-dlq"
        DrillPlanWritesItsRecords  = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/plan.json"
        DrillPlanWritesAnswers     = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/drill-plans/*"
      }
      drill-close = {
        AnswersTasks                = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
        ListsTheLedger              = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
        ReadsTheLedger              = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/drills/*"
        UsesTheDeploymentsKey       = "Allow kms:Decrypt kms:GenerateDataKey on arn:aws:kms:us-east-1:222222222222:key/own"
        DrillCloseWorksOnItsQueue   = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-drill-close"
        DrillCloseSetsMessagesAside = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-drill-close-dlq"
        DrillCloseWritesItsRecords  = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/09-drill-close*.json"
        DrillCloseWritesDrills      = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/drills/*"
        DrillCloseTellsOfDrills     = "Allow events:PutEvents on arn:aws:events:us-east-1:222222222222:event-bus/levee"
      }
    }
    error_message = "drill-plan or drill-close"
  }
}

run "with_drills_each_role_has_what_it_drills_with_and_no_more" {
  command = plan
  variables {
    drills = {}
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["batch-drill"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      ReadsSnapshots         = "Allow s3:GetObject s3:GetObjectVersion s3:GetObjectAcl s3:GetObjectVersionAcl s3:GetObjectTagging s3:GetObjectVersionTagging on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
      ListsSnapshots         = "Allow s3:ListBucket on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      RestoresArchivedCopies = "Allow s3:RestoreObject on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
      ReadsManifests         = "Allow s3:GetObject s3:GetObjectVersion on arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/plan-*.csv arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*-retry.csv arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*-held.csv arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*-again.csv"
      WritesScratch          = "Allow s3:PutObject s3:PutObjectAcl s3:PutObjectVersionAcl s3:PutObjectTagging s3:PutObjectVersionTagging on arn:aws:s3:::levee-scratch-222222222222-us-east-1/*"
      WritesReports          = "Allow s3:PutObject on arn:aws:s3:::levee-reports-222222222222-us-east-1/*"
      DecryptsSnapshots      = "Allow kms:Decrypt on arn:aws:kms:us-east-1:222222222222:key/snapshots"
      UsesTheDeploymentsKey  = "Allow kms:Decrypt kms:GenerateDataKey on arn:aws:kms:us-east-1:222222222222:key/own"
    }
    error_message = "The statements of the role of the drills."
  }

  assert {
    condition = aws_iam_role.this["batch-drill"].assume_role_policy == aws_iam_role.this["batch-copy"].assume_role_policy && { for s in jsondecode(aws_iam_role_policy.this["batch-drill"].policy).Statement : s.Sid => s.Condition if can(s.Condition) } == {
      for sid in ["WritesScratch", "WritesReports"] : sid => { StringEquals = { "aws:ResourceAccount" = "222222222222" } }
    }
    error_message = "The trust of the role of the drills, or what pins its writes to the backup account."
  }

  # Whatever names the scratch bucket, in whichever role.
  assert {
    condition = { for name, policy in aws_iam_role_policy.this : name => { for s in jsondecode(policy.policy).Statement : s.Sid => join(" ", concat(flatten([s.Action]), ["on"], flatten([s.Resource]))) } if strcontains(policy.policy, "scratch") && name != "batch-drill" } == {
      for name, sids in {
        worker-restore-plan = {
          RestorePlanListsScratch = "s3:ListBucket on arn:aws:s3:::levee-scratch-222222222222-us-east-1"
        }
        worker-large-copy = {
          LargeCopyWritesScratch  = "s3:PutObject s3:PutObjectTagging s3:AbortMultipartUpload on arn:aws:s3:::levee-scratch-222222222222-us-east-1/*"
          LargeCopyLooksAtScratch = "s3:GetObject s3:ListMultipartUploadParts on arn:aws:s3:::levee-scratch-222222222222-us-east-1/*"
          LargeCopyListsScratch   = "s3:ListBucket s3:ListBucketMultipartUploads on arn:aws:s3:::levee-scratch-222222222222-us-east-1"
        }
        worker-table-verify = {
          TableVerifyReadsScratch  = "s3:GetObject on arn:aws:s3:::levee-scratch-222222222222-us-east-1/*"
          TableVerifyListsScratch  = "s3:ListBucket on arn:aws:s3:::levee-scratch-222222222222-us-east-1"
          TableVerifyWritesScratch = "s3:PutObject on arn:aws:s3:::levee-scratch-222222222222-us-east-1/*_delta_log/*"
        }
        worker-drill-plan = {
          DrillPlanListsScratch = "s3:ListBucket on arn:aws:s3:::levee-scratch-222222222222-us-east-1"
        }
        worker-drill-close = {
          DrillCloseReadsScratch   = "s3:GetObject on arn:aws:s3:::levee-scratch-222222222222-us-east-1/*"
          DrillCloseListsScratch   = "s3:ListBucket on arn:aws:s3:::levee-scratch-222222222222-us-east-1"
          DrillCloseEmptiesScratch = "s3:DeleteObject on arn:aws:s3:::levee-scratch-222222222222-us-east-1/*"
        }
      } : name => merge(sids, { for s in jsondecode(aws_iam_role_policy.this[name].policy).Statement : s.Sid => join(" ", concat(flatten([s.Action]), ["on"], flatten([s.Resource]))) if !strcontains(jsonencode(s), "scratch") })
    }
    error_message = "Who does what in the scratch bucket."
  }

  assert {
    condition = alltrue(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement :
      s.Condition == { StringEquals = { "aws:ResourceAccount" = "222222222222" } }
    if strcontains(jsonencode(s.Resource), "scratch") && anytrue([for action in flatten([s.Action]) : strcontains(action, ":Put") || strcontains(action, ":Delete") || strcontains(action, ":Abort")])]]))
    error_message = "A scratch bucket of a stranger may be written to, or emptied."
  }

  # The one delete of everything that Levee does.
  assert {
    condition = flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : [for action in flatten([s.Action]) :
    "${name} ${s.Sid} ${action} ${join(" ", flatten([s.Resource]))}" if anytrue([for part in ["*", ":Delete", "Bypass"] : strcontains(action, part)]) && !contains(["sqs:DeleteMessage", "logs:DeleteLogDelivery"], action)]]]) == ["worker-drill-close DrillCloseEmptiesScratch s3:DeleteObject arn:aws:s3:::levee-scratch-222222222222-us-east-1/*"]
    error_message = "Another role than drill-close deletes, or another thing than objects of the scratch bucket is deleted."
  }

  # What the stages read of snapshots is what they read for a restore.
  assert {
    condition = { for stage in ["job-submit", "report-parse", "thaw", "restore-plan", "drill-plan"] : stage => { for s in jsondecode(aws_iam_role_policy.this["worker-${stage}"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) if strcontains(jsonencode(s), "-??-") || strcontains(jsonencode(s), "batch-drill") || strcontains(s.Sid, "Decrypts") } } == {
      job-submit = {
        JobSubmitHandsTheDrillRoleOver = "Allow iam:PassRole on arn:aws:iam::222222222222:role/levee-batch-drill"
      }
      report-parse = {
        ReportParseLooksForCopies = "Allow s3:GetObject on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
        ReportParseListsSnapshots = "Allow s3:ListBucket on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      }
      thaw = {
        ThawHandsTheDrillRoleOver = "Allow iam:PassRole on arn:aws:iam::222222222222:role/levee-batch-drill"
        ThawLooksAtCopies         = "Allow s3:GetObject on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
        ThawListsSnapshots        = "Allow s3:ListBucket on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      }
      restore-plan = {
        RestorePlanReadsSnapshots = "Allow s3:GetObject on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
        RestorePlanListsSnapshots = "Allow s3:ListBucket on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
        RestorePlanDecryptsLogs   = "Allow kms:Decrypt on arn:aws:kms:us-east-1:222222222222:key/snapshots"
      }
      drill-plan = {
        DrillPlanReadsSnapshots = "Allow s3:GetObject on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
        DrillPlanListsSnapshots = "Allow s3:ListBucket on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
        DrillPlanDecryptsLogs   = "Allow kms:Decrypt on arn:aws:kms:us-east-1:222222222222:key/snapshots"
      }
    }
    error_message = "What is read of snapshots, or handed over."
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this["worker-large-copy"].policy).Statement : s.Action if s.Sid == "LargeCopyReadsSnapshots"] == [["s3:GetObjectVersion", "s3:GetObjectVersionTagging"]]
    error_message = "large-copy cannot read a version of a copy, or its tags."
  }

  # The dated buckets have other names than the sources, so no pattern of theirs matches one.
  assert {
    condition = alltrue(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : [
      for action in flatten([s.Action]) : [for arn in flatten([s.Resource]) :
        !(startswith(arn, "arn:aws:s3:::lake-events") || startswith(arn, "arn:aws:s3:::lake-orders")) || can(regex("^arn:aws:s3:::lake-[a-z]+-\\?\\?-\\?\\?\\?-\\?\\?\\?\\?(/\\*)?$", arn))
        || contains(["s3:ListBucket", "s3:RestoreObject", "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"], action)
      ]
    ]]])) && !contains(keys(output.for_sources), "restore")
    error_message = "With drills alone a role has more than reading to do in a source."
  }

  assert {
    condition = { for pair in [["run-close", "states:GetExecutionHistory"], ["restore-plan", "states:DescribeExecution"]] : pair[1] => flatten([for s in jsondecode(aws_iam_role_policy.this["worker-${pair[0]}"].policy).Statement : flatten([s.Resource]) if contains(flatten([s.Action]), pair[1])]) } == {
      "states:GetExecutionHistory" = [for machine in ["backup", "restore", "drill"] : "arn:aws:states:us-east-1:222222222222:execution:levee-${machine}:*"]
      "states:DescribeExecution"   = ["arn:aws:states:us-east-1:222222222222:execution:levee-restore:*"]
    } && [for s in jsondecode(aws_iam_role_policy.this["worker-drill-close"].policy).Statement : s.Resource if s.Action == "states:DescribeExecution"] == ["arn:aws:states:us-east-1:222222222222:execution:levee-drill:*"]
    error_message = "Whose executions are looked at."
  }

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.this["scheduler"].policy).Statement : s.Resource if s.Action == "states:StartExecution"] == [for machine in ["backup", "drill"] : "arn:aws:states:us-east-1:222222222222:stateMachine:levee-${machine}"] && (
      jsondecode(aws_iam_role.this["state-machine"].assume_role_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == [for machine in ["backup", "restore", "drill"] : "arn:aws:states:us-east-1:222222222222:stateMachine:levee-${machine}"]
    )
    error_message = "Which state machines the schedules start, and which have the role."
  }

  assert {
    condition = (
      output.worker_environment.LEVEE_DRILL_ROLE_ARN == "arn:aws:iam::222222222222:role/levee-batch-drill" && output.drill_role_arn == output.role_arns["batch-drill"]
      && !contains(keys(output.worker_environment), "LEVEE_RESTORE_ROLE_ARN") && output.scratch_bucket == "levee-scratch-222222222222-us-east-1"
    )
    error_message = "The workers are not told the role, or are told that of restores too."
  }
}

run "with_restores_beside_them_no_statement_is_there_twice" {
  command = plan
  variables {
    worker_groups = { first = ["manifest-ready", "bucket-provision", "job-submit", "job-poll"], second = ["report-parse", "thaw", "large-copy"], third = ["snapshot-check", "table-verify", "run-close", "restore-plan"], fourth = ["drill-plan", "drill-close"] }
    drills        = { sources = ["lake-orders"] }
    restores      = { sources = ["lake-events"], targets = { lake-events = { account_id = "111111111111" } } }
  }

  assert {
    condition     = alltrue([for name, policy in aws_iam_role_policy.this : length(jsondecode(policy.policy).Statement) == length(distinct([for s in jsondecode(policy.policy).Statement : s.Sid]))])
    error_message = "Two statements have one Sid, which IAM refuses."
  }

  # Each role reads the snapshots that are its own, and the stages read both.
  assert {
    condition = { for name in ["batch-restore", "batch-drill", "worker-fourth", "worker-second"] : name => join(" ", distinct(flatten([for s in jsondecode(aws_iam_role_policy.this[name].policy).Statement : [for arn in flatten([s.Resource]) : arn if startswith(arn, "arn:aws:s3:::lake-")] if contains(["ListsSnapshots", "DrillPlanListsSnapshots", "ReportParseListsSnapshots", "ThawListsSnapshots"], s.Sid)]))) } == {
      batch-restore = "arn:aws:s3:::lake-events-??-???-????"
      batch-drill   = "arn:aws:s3:::lake-orders-??-???-????"
      worker-fourth = "arn:aws:s3:::lake-orders-??-???-????"
      worker-second = "arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
    }
    error_message = "Whose snapshots are read."
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this["worker-first"].policy).Statement : s.Resource if s.Action == "iam:PassRole"] == [for role in ["copy", "restore", "drill"] : "arn:aws:iam::222222222222:role/levee-batch-${role}"]
    error_message = "The roles that are handed over."
  }
}

run "with_restores_beside_them_no_stage_is_given_anything_twice" {
  command = plan
  variables {
    drills   = {}
    restores = { targets = { lake-events = { account_id = "111111111111" } } }
  }

  assert {
    condition     = alltrue([for name, policy in aws_iam_role_policy.this : length(jsondecode(policy.policy).Statement) == length(distinct([for s in jsondecode(policy.policy).Statement : jsonencode([s.Action, s.Resource])]))])
    error_message = "Two statements of a role say the same."
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this["batch-restore"].policy).Statement : s.Resource if s.Sid == "WritesTargets"] == [["arn:aws:s3:::lake-events/*"]] && [for s in jsondecode(aws_iam_role_policy.this["batch-drill"].policy).Statement : s.Resource if s.Sid == "WritesScratch"] == ["arn:aws:s3:::levee-scratch-222222222222-us-east-1/*"]
    error_message = "Restores write into the scratch bucket, or drills into a target."
  }
}
