# What the copy jobs, the services and `levee doctor` may do, statement by statement.

mock_provider "aws" {}

variables {
  account_id    = "222222222222"
  region        = "us-east-1"
  operator_arns = ["arn:aws:iam::222222222222:role/operators"]
  sources = {
    lake-events = { account_id = "111111111111" }
    lake-orders = {
      account_id   = "333333333333"
      kms_key_arns = ["arn:aws:kms:us-east-1:333333333333:key/orders"]
      snapshot     = { kms_key_arn = "arn:aws:kms:us-east-1:222222222222:key/snapshots" }
    }
  }
}

run "copy_role_reads_its_sources_and_writes_in_its_own_account" {
  command = plan

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["batch-copy"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      ReadsSources    = "Allow s3:GetObject s3:GetObjectVersion s3:GetObjectAcl s3:GetObjectVersionAcl s3:GetObjectTagging s3:GetObjectVersionTagging on arn:aws:s3:::lake-events/* arn:aws:s3:::lake-orders/*"
      ListsSources    = "Allow s3:ListBucket on arn:aws:s3:::lake-events arn:aws:s3:::lake-orders"
      ReadsManifests  = "Allow s3:GetObject s3:GetObjectVersion on arn:aws:s3:::levee-manifests-222222222222-us-east-1/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*-retry.csv arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*-held.csv arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*-again.csv arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*-missing.csv arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/plan-*/manifest.json arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/plan-*/data/* arn:aws:s3:::levee-canary-222222222222-us-east-1/canary/*"
      WritesCopies    = "Allow s3:PutObject s3:PutObjectAcl s3:PutObjectVersionAcl s3:PutObjectTagging s3:PutObjectVersionTagging on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/* arn:aws:s3:::levee-canary-222222222222-us-east-1/canary/*"
      WritesReports   = "Allow s3:PutObject on arn:aws:s3:::levee-reports-222222222222-us-east-1/*"
      DecryptsSources = "Allow kms:Decrypt on arn:aws:kms:us-east-1:333333333333:key/orders"
      EncryptsCopies  = "Allow kms:GenerateDataKey kms:Decrypt on arn:aws:kms:us-east-1:222222222222:key/snapshots"
    }
    error_message = "The statements of the copy role."
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["batch-copy"].policy).Statement : s.Sid => s.Condition if can(s.Condition) } == {
      WritesCopies  = { StringEquals = { "aws:ResourceAccount" = "222222222222" } }
      WritesReports = { StringEquals = { "aws:ResourceAccount" = "222222222222" } }
    }
    error_message = "Writes are not pinned to the backup account, or something else is."
  }

  assert {
    condition = jsondecode(aws_iam_role.this["batch-copy"].assume_role_policy).Statement == [
      { Sid = "BatchOperations", Effect = "Allow", Principal = { Service = "batchoperations.s3.amazonaws.com" }, Action = "sts:AssumeRole" },
    ]
    error_message = "The trust of the copy role."
  }
}

run "services_have_their_calls_and_trust" {
  command = plan
  variables {
    tracing = true
    ecs     = { image = "444444444444.dkr.ecr.eu-west-1.amazonaws.com/team/levee@sha256:0", subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["state-machine"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      SendsTasks   = "Allow sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-bucket-provision arn:aws:sqs:us-east-1:222222222222:levee-drill-close arn:aws:sqs:us-east-1:222222222222:levee-drill-plan arn:aws:sqs:us-east-1:222222222222:levee-job-poll arn:aws:sqs:us-east-1:222222222222:levee-job-submit arn:aws:sqs:us-east-1:222222222222:levee-large-copy arn:aws:sqs:us-east-1:222222222222:levee-manifest-ready arn:aws:sqs:us-east-1:222222222222:levee-report-parse arn:aws:sqs:us-east-1:222222222222:levee-restore-plan arn:aws:sqs:us-east-1:222222222222:levee-run-close arn:aws:sqs:us-east-1:222222222222:levee-snapshot-check arn:aws:sqs:us-east-1:222222222222:levee-table-verify arn:aws:sqs:us-east-1:222222222222:levee-thaw"
      DeliversLogs = "Allow logs:CreateLogDelivery logs:GetLogDelivery logs:UpdateLogDelivery logs:DeleteLogDelivery logs:ListLogDeliveries logs:PutResourcePolicy logs:DescribeResourcePolicies logs:DescribeLogGroups on *"
      SendsTraces  = "Allow xray:PutTraceSegments xray:PutTelemetryRecords xray:GetSamplingRules xray:GetSamplingTargets on *"
    }
    error_message = "The statements of the state machine's role."
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["scheduler"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      StartsRuns     = "Allow states:StartExecution on arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup"
      SetsTicksAside = "Allow sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-schedules-dlq"
    }
    error_message = "The statements of the scheduler's role."
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["task-execution"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      WritesLogs      = "Allow logs:CreateLogStream logs:PutLogEvents on arn:aws:logs:us-east-1:222222222222:log-group:/levee/levee/workers:*"
      LogsInToEcr     = "Allow ecr:GetAuthorizationToken on *"
      FetchesTheImage = "Allow ecr:BatchCheckLayerAvailability ecr:GetDownloadUrlForLayer ecr:BatchGetImage on arn:aws:ecr:eu-west-1:444444444444:repository/team/levee"
    }
    error_message = "The statements of the task execution role."
  }

  assert {
    condition = {
      for name in ["state-machine", "scheduler", "task-execution"] : name => jsondecode(aws_iam_role.this[name].assume_role_policy).Statement
      } == {
      state-machine = [{
        Sid       = "StepFunctions"
        Effect    = "Allow"
        Principal = { Service = "states.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { ArnLike = { "aws:SourceArn" = ["arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup", "arn:aws:states:us-east-1:222222222222:stateMachine:levee-restore"] }, StringEquals = { "aws:SourceAccount" = "222222222222" } }
      }]
      scheduler = [{
        Sid       = "Scheduler"
        Effect    = "Allow"
        Principal = { Service = "scheduler.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { ArnLike = { "aws:SourceArn" = "arn:aws:scheduler:us-east-1:222222222222:schedule-group/default" }, StringEquals = { "aws:SourceAccount" = "222222222222" } }
      }]
      task-execution = [{ Sid = "EcsTasks", Effect = "Allow", Principal = { Service = "ecs-tasks.amazonaws.com" }, Action = "sts:AssumeRole" }]
    }
    error_message = "The trust of a service's role."
  }
}

run "an_image_from_elsewhere_needs_no_rights_in_ecr" {
  command = plan
  variables {
    ecs = { image = "registry.example.com/levee@sha256:0", subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this["task-execution"].policy).Statement : s.Sid] == ["WritesLogs"]
    error_message = "The task execution role has more than it needs."
  }
}

run "keys_traces_doctor_and_task_execution_are_left_out_where_nobody_needs_them" {
  command = plan
  variables {
    operator_arns = []
    sources       = { lake-events = { account_id = "111111111111" } }
  }

  assert {
    condition     = !contains(keys(aws_iam_role.this), "doctor") && !contains(keys(aws_iam_role.this), "task-execution")
    error_message = "There is a role that nobody can take on."
  }

  assert {
    condition     = alltrue(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : [for action in flatten([s.Action]) : !startswith(action, "kms:") && !startswith(action, "xray:")]]]))
    error_message = "A role has rights on keys or traces that are not used."
  }
}

run "doctor_reads_settings_and_makes_the_canary" {
  command = plan

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["doctor"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) if !contains(["ReadsBucketSettings", "ReadsQueues"], s.Sid) } == {
      CountsBuckets            = "Allow s3:ListAllMyBuckets on *"
      ReadsTheStateMachine     = "Allow states:DescribeStateMachine on arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup"
      ReadsSchedules           = "Allow scheduler:GetSchedule on arn:aws:scheduler:us-east-1:222222222222:schedule/default/levee-*"
      ReadsTheBus              = "Allow events:DescribeEventBus on arn:aws:events:us-east-1:222222222222:event-bus/levee"
      ReadsRules               = "Allow events:DescribeRule events:ListTargetsByRule on arn:aws:events:us-east-1:222222222222:rule/levee/levee-copy-failures arn:aws:events:us-east-1:222222222222:rule/levee/levee-run-completed arn:aws:events:us-east-1:222222222222:rule/levee/levee-run-degraded arn:aws:events:us-east-1:222222222222:rule/levee/levee-run-started arn:aws:events:us-east-1:222222222222:rule/levee/levee-tables-torn arn:aws:events:us-east-1:222222222222:rule/levee-run-failed arn:aws:events:us-east-1:222222222222:rule/levee-completed-*"
      ReadsTheTopic            = "Allow sns:GetTopicAttributes sns:ListSubscriptionsByTopic on arn:aws:sns:us-east-1:222222222222:levee-notifications"
      ListsSources             = "Allow s3:ListBucket on arn:aws:s3:::lake-events arn:aws:s3:::lake-orders"
      ReadsSources             = "Allow s3:GetObject on arn:aws:s3:::lake-events/* arn:aws:s3:::lake-orders/*"
      WritesTheCanarysManifest = "Allow s3:PutObject on arn:aws:s3:::levee-canary-222222222222-us-east-1/canary/*"
      MakesTheCanarysJob       = "Allow s3:CreateJob on *"
      WatchesTheCanarysJob     = "Allow s3:DescribeJob on arn:aws:s3:us-east-1:222222222222:job/*"
      HandsTheCopyRoleOver     = "Allow iam:PassRole on arn:aws:iam::222222222222:role/levee-batch-copy"
      ReadsTheCanary           = "Allow s3:GetObject on arn:aws:s3:::levee-canary-222222222222-us-east-1/canary/* arn:aws:s3:::levee-reports-222222222222-us-east-1/canary/*"
      DescribesKeys            = "Allow kms:DescribeKey on arn:aws:kms:us-east-1:222222222222:key/snapshots"
      DecryptsTheCanary        = "Allow kms:Decrypt on arn:aws:kms:us-east-1:333333333333:key/orders"
    }
    error_message = "The statements of the doctor's role."
  }

  assert {
    condition = alltrue([for s in jsondecode(aws_iam_role_policy.this["doctor"].policy).Statement :
      s.Action == ["s3:ListBucket", "s3:GetBucketOwnershipControls", "s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetBucketPolicy"]
    && toset(s.Resource) == toset([for what in ["canary", "ledger", "manifests", "reports"] : "arn:aws:s3:::levee-${what}-222222222222-us-east-1"]) if s.Sid == "ReadsBucketSettings"])
    error_message = "Which settings of which buckets the doctor reads."
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.this["doctor"].policy).Statement : length(s.Resource) == 29 && s.Action == ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"] if s.Sid == "ReadsQueues"])
    error_message = "The doctor does not read all 29 queues, or does more with them."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this["doctor"].assume_role_policy).Statement == [{ Sid = "Operators", Effect = "Allow", Principal = { AWS = ["arn:aws:iam::222222222222:role/operators"] }, Action = "sts:AssumeRole" }]
    error_message = "The trust of the doctor's role."
  }
}
