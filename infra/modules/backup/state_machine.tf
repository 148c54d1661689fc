# The state machines, of the nights and of restores, are the files in statemachine/, with the queues' URLs filled in.

locals {
  definition         = templatefile("${path.module}/../../../statemachine/backup.asl.json", { queue_url_prefix = local.queue_url_prefix })
  restore_definition = templatefile("${path.module}/../../../statemachine/restore.asl.json", { queue_url_prefix = local.queue_url_prefix })
}

resource "aws_cloudwatch_log_group" "state_machine" {
  name              = local.log_groups.state-machine
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}

resource "aws_sfn_state_machine" "backup" {
  # checkov:skip=CKV_AWS_284:Tracing is the variable `tracing`, off by default because traces are billed and the log has every step
  name       = local.state_machine_name
  type       = "STANDARD"
  definition = local.definition
  role_arn   = local.state_machine_role_arn

  logging_configuration {
    level = "ALL"
    # The data of an execution are names and pointers, never rows of an inventory or contents of objects.
    include_execution_data = true
    log_destination        = "${local.log_group_arns.state-machine}:*"
  }

  tracing_configuration {
    enabled = var.tracing
  }

  tags = local.tags

  depends_on = [aws_cloudwatch_log_group.state_machine, aws_iam_role_policy.this]
}

resource "aws_cloudwatch_log_group" "restores" {
  name              = local.log_groups.restores
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}

# Always there, so that a restore need not wait for a deployment of it; what its stages may write is the variable `restores`.
resource "aws_sfn_state_machine" "restore" {
  # checkov:skip=CKV_AWS_284:Tracing is the variable `tracing`, off by default because traces are billed and the log has every step
  name       = local.restore_state_machine_name
  type       = "STANDARD"
  definition = local.restore_definition
  role_arn   = local.state_machine_role_arn

  logging_configuration {
    level                  = "ALL"
    include_execution_data = true
    log_destination        = "${local.log_group_arns.restores}:*"
  }

  tracing_configuration {
    enabled = var.tracing
  }

  tags = local.tags

  depends_on = [aws_cloudwatch_log_group.restores, aws_iam_role_policy.this]
}
