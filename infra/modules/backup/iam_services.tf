# The roles of the services and of `levee doctor`.

locals {
  state_machine_role = {
    description = "Levee's state machines"
    trust = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "StepFunctions"
        Effect    = "Allow"
        Principal = { Service = "states.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          ArnLike      = { "aws:SourceArn" = local.state_machine_arns }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      }]
    })
    policy = jsonencode({ Version = "2012-10-17", Statement = concat(
      [
        { Sid = "SendsTasks", Effect = "Allow", Action = "sqs:SendMessage", Resource = values(local.queue_arns) },
        {
          # As "Using CloudWatch Logs to log execution history" of the Step Functions guide has it: log delivery knows no
          # resources, and the console's and the API's checks ask for all of these.
          Sid    = "DeliversLogs"
          Effect = "Allow"
          Action = [
            "logs:CreateLogDelivery",
            "logs:GetLogDelivery",
            "logs:UpdateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:DescribeResourcePolicies",
            "logs:DescribeLogGroups",
          ]
          Resource = "*"
        },
      ],
      [for statement in [{
        Sid      = "SendsTraces"
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"]
        Resource = "*"
      }] : statement if var.tracing],
      local.uses_key,
    ) })
  }

  scheduler_role = {
    description = "EventBridge Scheduler starts Levee's runs with it"
    trust = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "Scheduler"
        Effect    = "Allow"
        Principal = { Service = "scheduler.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          # Scheduler names the group and not the schedule.
          ArnLike      = { "aws:SourceArn" = "arn:aws:scheduler:${var.region}:${var.account_id}:schedule-group/${local.schedule_group}" }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      }]
    })
    policy = jsonencode({ Version = "2012-10-17", Statement = concat(
      [
        { Sid = "StartsRuns", Effect = "Allow", Action = "states:StartExecution", Resource = local.state_machine_arn },
        { Sid = "SetsTicksAside", Effect = "Allow", Action = "sqs:SendMessage", Resource = local.schedules_dlq_arn },
      ],
      [for statement in [{
        Sid      = "StartsDrills"
        Effect   = "Allow"
        Action   = "states:StartExecution"
        Resource = local.drill_state_machine_arn
      }] : statement if local.drilling],
      local.uses_key,
    ) })
  }

  # Of an image in ECR: its account, Region and repository. Images from elsewhere need no rights.
  ecr_image = try(regex("^(\\d{12})\\.dkr\\.ecr\\.([a-z0-9-]+)\\.amazonaws\\.com/([^:@]+)", var.ecs.image), null)
  execution_role = {
    description = "ECS fetches the image and writes the logs of Levee's workers with it"
    trust = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "EcsTasks"
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = "sts:AssumeRole"
      }]
    })
    policy = jsonencode({ Version = "2012-10-17", Statement = concat(
      [{ Sid = "WritesLogs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${local.log_group_arns.workers}:*" }],
      flatten([for image in [local.ecr_image] : [
        { Sid = "LogsInToEcr", Effect = "Allow", Action = "ecr:GetAuthorizationToken", Resource = "*" },
        {
          Sid      = "FetchesTheImage"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
          Resource = "arn:aws:ecr:${image[1]}:${image[0]}:repository/${image[2]}"
        },
      ] if image != null]),
    ) })
  }

  # Reads settings, never data but reports; writes nothing but the canary's manifest and its job.
  doctor_role = {
    description = "`levee doctor` checks this deployment with it"
    trust = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "Operators"
        Effect    = "Allow"
        Principal = { AWS = var.operator_arns }
        Action    = "sts:AssumeRole"
      }]
    })
    policy = jsonencode({ Version = "2012-10-17", Statement = concat(
      [
        { Sid = "CountsBuckets", Effect = "Allow", Action = "s3:ListAllMyBuckets", Resource = "*" },
        {
          Sid    = "ReadsBucketSettings"
          Effect = "Allow"
          Action = [
            "s3:ListBucket",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketVersioning",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:GetBucketPolicy",
          ]
          Resource = values(local.bucket_arns)
        },
        { Sid = "ReadsQueues", Effect = "Allow", Action = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"], Resource = local.every_queue_arn },
        { Sid = "ReadsTheStateMachine", Effect = "Allow", Action = "states:DescribeStateMachine", Resource = local.state_machine_arn },
        { Sid = "ReadsSchedules", Effect = "Allow", Action = "scheduler:GetSchedule", Resource = local.schedule_arns },
        { Sid = "ReadsTheBus", Effect = "Allow", Action = "events:DescribeEventBus", Resource = local.event_bus_arn },
        { Sid = "ReadsRules", Effect = "Allow", Action = ["events:DescribeRule", "events:ListTargetsByRule"], Resource = local.rule_arns },
        { Sid = "ReadsTheTopic", Effect = "Allow", Action = ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"], Resource = local.topic_arn },
        { Sid = "ListsSources", Effect = "Allow", Action = "s3:ListBucket", Resource = local.source_bucket_arns },
        { Sid = "ReadsSources", Effect = "Allow", Action = "s3:GetObject", Resource = [for arn in local.source_bucket_arns : "${arn}/*"] },
        { Sid = "WritesTheCanarysManifest", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.bucket_arns.canary}/canary/*", Condition = local.own_account_only },
        { Sid = "MakesTheCanarysJob", Effect = "Allow", Action = "s3:CreateJob", Resource = "*" },
        { Sid = "WatchesTheCanarysJob", Effect = "Allow", Action = "s3:DescribeJob", Resource = local.job_arns },
        { Sid = "HandsTheCopyRoleOver", Effect = "Allow", Action = "iam:PassRole", Resource = local.copy_role_arn },
        { Sid = "ReadsTheCanary", Effect = "Allow", Action = "s3:GetObject", Resource = ["${local.bucket_arns.canary}/canary/*", "${local.bucket_arns.reports}/canary/*"] },
      ],
      [for statement in [{
        # Those of sources are looked at from their own account.
        Sid      = "DescribesKeys"
        Effect   = "Allow"
        Action   = "kms:DescribeKey"
        Resource = local.target_kms_key_arns
      }] : statement if length(local.target_kms_key_arns) > 0],
      [for statement in [{
        Sid      = "DecryptsTheCanary"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = distinct(concat(compact([var.kms_key_arn]), local.source_kms_key_arns))
      }] : statement if var.kms_key_arn != null || length(local.source_kms_key_arns) > 0],
    ) })
  }
}
