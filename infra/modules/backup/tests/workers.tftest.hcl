# The ECS services: tasks, network, scaling.

mock_provider "aws" {}

variables {
  account_id = "222222222222"
  region     = "us-east-1"
  sources    = { lake-events = { account_id = "111111111111" } }
  worker_groups = {
    before = ["manifest-ready", "bucket-provision", "job-submit"]
    after  = ["job-poll", "report-parse"]
    rest   = ["thaw", "large-copy", "snapshot-check"]
    close  = ["table-verify", "run-close", "restore-plan"]
    drills = ["drill-plan", "drill-close"]
  }
  ecs = {
    image              = "222222222222.dkr.ecr.us-east-1.amazonaws.com/levee@sha256:0"
    subnet_ids         = ["subnet-1", "subnet-2"]
    security_group_ids = ["sg-1"]
    maximum            = 3
    concurrency        = 8
  }
}

run "tasks_are_small_locked_down_and_run_their_stages" {
  command = plan

  assert {
    condition     = { for group, task in aws_ecs_task_definition.worker : group => jsondecode(task.container_definitions)[0].command } == { before = ["worker", "manifest-ready", "bucket-provision", "job-submit"], after = ["worker", "job-poll", "report-parse"], rest = ["worker", "thaw", "large-copy", "snapshot-check"], close = ["worker", "table-verify", "run-close", "restore-plan"], drills = ["worker", "drill-plan", "drill-close"] }
    error_message = "Which stages a task works on."
  }

  assert {
    condition = alltrue([for group, task in aws_ecs_task_definition.worker :
      task.requires_compatibilities == toset(["FARGATE"]) && task.network_mode == "awsvpc" && task.cpu == "256" && task.memory == "512"
      && task.runtime_platform[0].cpu_architecture == "ARM64" && task.runtime_platform[0].operating_system_family == "LINUX"
      && task.task_role_arn == "arn:aws:iam::222222222222:role/levee-worker-${group}" && task.execution_role_arn == "arn:aws:iam::222222222222:role/levee-task-execution"
    ])
    error_message = "Size, platform or roles of a task."
  }

  assert {
    condition = alltrue([for group, task in aws_ecs_task_definition.worker : [for c in jsondecode(task.container_definitions) :
      [c.image, contains(keys(c), "entryPoint"), c.user, c.readonlyRootFilesystem, c.linuxParameters.capabilities.drop, c.linuxParameters.initProcessEnabled, c.essential, c.stopTimeout]] == [
      ["222222222222.dkr.ecr.us-east-1.amazonaws.com/levee@sha256:0", false, "65532:65532", true, ["ALL"], true, true, 60]
    ]])
    error_message = "How a container runs."
  }

  assert {
    condition = alltrue([for group, task in aws_ecs_task_definition.worker : { for e in jsondecode(task.container_definitions)[0].environment : e.name => e.value } == {
      AWS_REGION                   = "us-east-1"
      LEVEE_ACCOUNT                = "222222222222"
      LEVEE_LEDGER_BUCKET          = "levee-ledger-222222222222-us-east-1"
      LEVEE_REPORT_BUCKET          = "levee-reports-222222222222-us-east-1"
      LEVEE_COPY_ROLE_ARN          = "arn:aws:iam::222222222222:role/levee-batch-copy"
      LEVEE_EVENT_BUS              = "levee"
      LEVEE_QUEUE_PREFIX           = "levee-"
      LEVEE_LOG_FORMAT             = "json"
      LEVEE_CONCURRENCY            = "8"
      LEVEE_OBJECTS_AT_ONCE        = "256000"
      LEVEE_SHUTDOWN_GRACE_SECONDS = "20"
    }])
    error_message = "The settings of a worker; no secret is among them."
  }

  assert {
    condition     = alltrue([for group, task in aws_ecs_task_definition.worker : jsondecode(task.container_definitions)[0].logConfiguration.options == { awslogs-group = "/levee/levee/workers", awslogs-region = "us-east-1", awslogs-stream-prefix = group }]) && aws_cloudwatch_log_group.workers[0].name == "/levee/levee/workers" && aws_cloudwatch_log_group.workers[0].retention_in_days == 365
    error_message = "Where a worker's log goes."
  }
}

run "services_are_private_and_roll_back" {
  command = plan

  assert {
    condition = alltrue([for group, service in aws_ecs_service.worker :
      service.name == group && service.cluster == "levee" && service.launch_type == "FARGATE" && service.desired_count == 0 && service.enable_execute_command != true
      && service.network_configuration[0].subnets == toset(["subnet-1", "subnet-2"]) && service.network_configuration[0].security_groups == toset(["sg-1"]) && service.network_configuration[0].assign_public_ip == false
      && service.deployment_circuit_breaker[0].enable && service.deployment_circuit_breaker[0].rollback
      && length(service.load_balancer) == 0
    ]) && length(aws_ecs_service.worker) == 5
    error_message = "How a service runs."
  }
}

run "services_scale_with_their_messages_and_to_zero" {
  command = plan

  assert {
    condition     = { for group, target in aws_appautoscaling_target.worker : target.resource_id => [target.min_capacity, target.max_capacity] } == { "service/levee/before" = [0, 3], "service/levee/after" = [0, 3], "service/levee/rest" = [0, 3], "service/levee/close" = [0, 3], "service/levee/drills" = [0, 3] }
    error_message = "The limits of the scaling."
  }

  assert {
    condition = alltrue([for group, policy in aws_appautoscaling_policy.out : policy.policy_type == "StepScaling" && policy.step_scaling_policy_configuration[0].adjustment_type == "ExactCapacity"
      && { for step in policy.step_scaling_policy_configuration[0].step_adjustment : step.metric_interval_lower_bound => "below ${coalesce(step.metric_interval_upper_bound, "infinity")}: ${step.scaling_adjustment}" } == { "0" = "below 8: 1", "8" = "below infinity: 3" }
    ])
    error_message = "How a service scales out."
  }

  assert {
    condition = alltrue([for group, policy in aws_appautoscaling_policy.in : policy.step_scaling_policy_configuration[0].adjustment_type == "ExactCapacity"
    && [for step in policy.step_scaling_policy_configuration[0].step_adjustment : [step.metric_interval_upper_bound, step.scaling_adjustment]] == [["0", 0]]])
    error_message = "How a service scales in."
  }

  assert {
    condition = (
      one([for query in aws_cloudwatch_metric_alarm.busy["after"].metric_query : query.expression if query.return_data == true])
      == "FILL(job_poll_delayed, 0) + FILL(job_poll_flying, 0) + FILL(job_poll_visible, 0) + FILL(report_parse_delayed, 0) + FILL(report_parse_flying, 0) + FILL(report_parse_visible, 0)"
      && toset([for query in aws_cloudwatch_metric_alarm.busy["after"].metric_query : "${query.metric[0].dimensions["QueueName"]} ${query.metric[0].metric_name} ${query.metric[0].period}" if length(query.metric) > 0]) == toset(flatten([
        for queue in ["levee-job-poll", "levee-report-parse"] : [for metric in ["Visible", "NotVisible", "Delayed"] : "${queue} ApproximateNumberOfMessages${metric} 60"]
      ]))
    )
    error_message = "Which messages count."
  }

  assert {
    condition = alltrue([for group, alarm in aws_cloudwatch_metric_alarm.busy : alarm.threshold == 0 && alarm.comparison_operator == "GreaterThanThreshold" && alarm.evaluation_periods == 1 && alarm.treat_missing_data == "notBreaching"]) && alltrue([
      for group, alarm in aws_cloudwatch_metric_alarm.idle : alarm.threshold == 0 && alarm.comparison_operator == "LessThanOrEqualToThreshold" && alarm.evaluation_periods == 15 && alarm.datapoints_to_alarm == 15 && alarm.treat_missing_data == "breaching"
    && { for query in alarm.metric_query : query.id => try(query.metric[0].metric_name, query.expression) } == { for query in aws_cloudwatch_metric_alarm.busy[group].metric_query : query.id => try(query.metric[0].metric_name, query.expression) }])
    error_message = "When a service scales."
  }
}

run "one_task_may_stay" {
  command = plan
  variables {
    ecs = { image = "levee", subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], minimum = 2, maximum = 4 }
  }

  assert {
    condition     = alltrue([for group, service in aws_ecs_service.worker : service.desired_count == 2 && aws_appautoscaling_target.worker[group].min_capacity == 2 && aws_appautoscaling_policy.in[group].step_scaling_policy_configuration[0].step_adjustment != null])
    error_message = "A service starts with fewer tasks than its minimum."
  }

  assert {
    condition     = alltrue([for group, policy in aws_appautoscaling_policy.out : min([for step in policy.step_scaling_policy_configuration[0].step_adjustment : step.scaling_adjustment]...) == 2])
    error_message = "A service scales out to fewer tasks than its minimum."
  }
}

run "without_ecs_there_is_none_of_it" {
  command = plan
  variables {
    ecs = null
  }

  assert {
    condition     = length(aws_ecs_cluster.this) + length(aws_ecs_service.worker) + length(aws_ecs_task_definition.worker) + length(aws_appautoscaling_target.worker) + length(aws_cloudwatch_metric_alarm.busy) + length(aws_cloudwatch_log_group.workers) == 0
    error_message = "Something of ECS is left."
  }
}

run "a_group_with_too_many_metrics_is_refused" {
  command = plan
  variables {
    worker_groups = { first = ["manifest-ready", "bucket-provision", "job-submit", "job-poll"], second = ["report-parse", "thaw", "large-copy"], third = ["snapshot-check", "table-verify", "run-close"], fourth = ["restore-plan", "drill-plan", "drill-close"] }
  }
  expect_failures = [aws_appautoscaling_target.worker]
}
