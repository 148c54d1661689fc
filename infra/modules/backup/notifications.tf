# The topic that people and systems subscribe to. A subscription filters by the severity in the message's body.

locals {
  topic_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # Without a condition: "You can't use Condition blocks in Amazon SNS topic policies for EventBridge", says its user
        # guide. It tells topics nothing of the rule, so a condition would drop every notification.
        Sid       = "RulesPublish"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
      },
      {
        Sid       = "AlarmsPublish"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = {
          ArnLike      = { "aws:SourceArn" = "arn:aws:cloudwatch:${var.region}:${var.account_id}:alarm:${var.name}-*" }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      },
      {
        Sid       = "LeveeDenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic" "this" {
  name              = local.topic_name
  kms_master_key_id = var.kms_key_arn
  tags              = local.tags
}

resource "aws_sns_topic_policy" "this" {
  arn    = aws_sns_topic.this.arn
  policy = local.topic_policy
}

# A subscription by e-mail or HTTPS gets nothing before the recipient has confirmed it. Without a filter all severities come;
# alarms, which CloudWatch publishes in a form of its own, count as critical.
resource "aws_sns_topic_subscription" "this" {
  for_each = var.subscriptions

  topic_arn           = aws_sns_topic.this.arn
  protocol            = each.value.protocol
  endpoint            = each.value.endpoint
  filter_policy_scope = each.value.severities == null ? null : "MessageBody"
  filter_policy       = each.value.severities == null ? null : local.filter_policies[each.key]
  redrive_policy      = jsonencode({ deadLetterTargetArn = local.dead_letter_arns["notifications"] })

  depends_on = [aws_sqs_queue_policy.this]
}

locals {
  filter_policies = { for name, subscription in var.subscriptions : name => (
    contains(coalesce(subscription.severities, []), "critical")
    ? jsonencode({ "$or" = [{ severity = subscription.severities }, { AlarmName = [{ exists = true }] }] })
    : jsonencode({ severity = subscription.severities })
  ) }
}
