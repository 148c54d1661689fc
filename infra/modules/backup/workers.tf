# The workers: one Fargate service on ARM64 per group, the same image for every stage. Without `ecs` they run elsewhere, with
# the same settings and roles (outputs `worker_environment` and `role_arns`).

locals {
  # The settings of crates/stage/src/settings/common.rs, and of the workers that have their own.
  worker_environment = merge(
    {
      AWS_REGION          = var.region
      LEVEE_ACCOUNT       = var.account_id
      LEVEE_LEDGER_BUCKET = local.buckets.ledger
      LEVEE_REPORT_BUCKET = local.buckets.reports
      LEVEE_COPY_ROLE_ARN = local.copy_role_arn
      LEVEE_EVENT_BUS     = local.event_bus_name
      LEVEE_QUEUE_PREFIX  = local.queue_prefix
      LEVEE_LOG_FORMAT    = "json"
    },
    length(var.break_glass_arns) == 0 ? {} : { LEVEE_BREAK_GLASS_ARNS = join(",", var.break_glass_arns) },
    var.restores == null ? {} : { LEVEE_RESTORE_ROLE_ARN = local.restore_role_arn },
    local.drilling ? { LEVEE_DRILL_ROLE_ARN = local.drill_role_arn } : {},
    var.receipt_signing_key_arn == null ? {} : { LEVEE_RECEIPT_SIGNING_KEY_ARN = var.receipt_signing_key_arn },
  )

  # How long running stages may go on after the signal to stop, and how long ECS waits for the process: longer, because the
  # messages of stages that did not end are released after that.
  shutdown_grace_seconds = 20
  stop_timeout_seconds   = 60

  services = { for group, stages in var.worker_groups : group => stages if var.ecs != null }
  cluster  = var.name
}

resource "aws_ecs_cluster" "this" {
  count = var.ecs == null ? 0 : 1

  name = local.cluster
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
  tags = local.tags
}

resource "aws_cloudwatch_log_group" "workers" {
  count = var.ecs == null ? 0 : 1

  name              = local.log_groups.workers
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}

resource "aws_ecs_task_definition" "worker" {
  for_each = local.services

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.ecs.cpu
  memory                   = var.ecs.memory
  task_role_arn            = local.worker_role_arns[each.key]
  execution_role_arn       = local.execution_role_arn

  runtime_platform {
    cpu_architecture        = "ARM64"
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([{
    name      = "worker"
    image     = var.ecs.image
    essential = true
    # For the entry point of the image, which is the levee command.
    command = concat(["worker"], each.value)
    environment = [for name, value in merge(local.worker_environment, {
      LEVEE_CONCURRENCY = tostring(var.ecs.concurrency)
      # At most 130 bytes for each of the objects that the stages of a task hold: half of its memory.
      LEVEE_OBJECTS_AT_ONCE        = tostring(max(1024, floor(var.ecs.memory * 4000 / var.ecs.concurrency)))
      LEVEE_SHUTDOWN_GRACE_SECONDS = tostring(local.shutdown_grace_seconds)
    }) : { name = name, value = value }]
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    stopTimeout            = local.stop_timeout_seconds
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = local.log_groups.workers
        awslogs-region        = var.region
        awslogs-stream-prefix = each.key
      }
    }
  }])

  tags = local.tags

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_ecs_service" "worker" {
  for_each = local.services

  name            = each.key
  cluster         = local.cluster
  task_definition = aws_ecs_task_definition.worker[each.key].arn
  desired_count   = var.ecs.minimum
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"
  tags            = local.tags

  network_configuration {
    subnets          = var.ecs.subnet_ids
    security_groups  = var.ecs.security_group_ids
    assign_public_ip = var.ecs.assign_public_ip
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  lifecycle {
    # The scaling owns it.
    ignore_changes = [desired_count]
  }

  depends_on = [aws_cloudwatch_log_group.workers, aws_ecs_cluster.this, aws_iam_role_policy.this]
}
