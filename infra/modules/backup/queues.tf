# One queue per stage with its dead-letter queue, and the dead-letter queues of the schedules, the rules and the
# subscriptions. A message in any of them raises an alarm (alarms.tf).

locals {
  queue_names = merge(
    { for stage in local.stages : stage => "${local.queue_prefix}${stage}" },
    { for name in local.dead_letter_names : "${name}-dlq" => "${local.queue_prefix}${name}-dlq" },
  )
  # Deliveries after which a message is set aside.
  max_receive_count = 5
  # A worker asks for its own visibility timeout with each receipt; this one is for whoever does not.
  visibility_seconds = 300
  retention_seconds  = 14 * 24 * 3600

  # Which service sends to which queue, on behalf of what. Scheduler sends as its role and needs no statement.
  queue_senders = {
    events-dlq        = { sid = "RulesSetEventsAside", service = "events.amazonaws.com", sources = concat(local.telling_rule_arns, [for arn in ["${local.rule_arn_prefix}${var.name}-drilled-*"] : arn if local.drilling]) }
    notifications-dlq = { sid = "TheTopicSetsMessagesAside", service = "sns.amazonaws.com", sources = [local.topic_arn] }
  }
  queue_policies = { for key, name in local.queue_names : key => jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "LeveeDenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = "arn:aws:sqs:${var.region}:${var.account_id}:${name}"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for sender in [lookup(local.queue_senders, key, null)] : {
        Sid       = sender.sid
        Effect    = "Allow"
        Principal = { Service = sender.service }
        Action    = "sqs:SendMessage"
        Resource  = "arn:aws:sqs:${var.region}:${var.account_id}:${name}"
        Condition = { ArnLike = { "aws:SourceArn" = sender.sources } }
      } if sender != null],
    )
  }) }
}

resource "aws_sqs_queue" "stage" {
  for_each = toset(local.stages)

  name                       = local.queue_names[each.key]
  message_retention_seconds  = local.retention_seconds
  visibility_timeout_seconds = local.visibility_seconds
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn
  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead_letter_arns[each.key]
    maxReceiveCount     = local.max_receive_count
  })
  tags = local.tags

  depends_on = [aws_sqs_queue.dead_letters]
}

resource "aws_sqs_queue" "dead_letters" {
  for_each = toset(local.dead_letter_names)

  name                      = local.queue_names["${each.key}-dlq"]
  message_retention_seconds = local.retention_seconds
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = local.tags
}

# The dead-letter queue of a stage takes messages of that stage's queue alone.
resource "aws_sqs_queue_redrive_allow_policy" "stage" {
  for_each = toset(local.stages)

  queue_url = aws_sqs_queue.dead_letters[each.key].url
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns[each.key]]
  })
}

resource "aws_sqs_queue_policy" "this" {
  for_each = local.queue_names

  queue_url = endswith(each.key, "-dlq") ? aws_sqs_queue.dead_letters[trimsuffix(each.key, "-dlq")].url : aws_sqs_queue.stage[each.key].url
  policy    = local.queue_policies[each.key]
}
