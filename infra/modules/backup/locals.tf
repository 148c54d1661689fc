# Names and ARNs, built from what is known beforehand and never from resources: so a plan shows every policy in full, and
# the policies can be checked before anything is there.

locals {
  stages = ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "snapshot-check", "table-verify", "run-close", "restore-plan", "drill-plan", "drill-close"]

  bucket_suffix = "${var.account_id}-${var.region}"
  buckets = {
    manifests = coalesce(var.bucket_names.manifests, "${var.name}-manifests-${local.bucket_suffix}")
    reports   = coalesce(var.bucket_names.reports, "${var.name}-reports-${local.bucket_suffix}")
    ledger    = coalesce(var.bucket_names.ledger, "${var.name}-ledger-${local.bucket_suffix}")
    canary    = coalesce(var.bucket_names.canary, "${var.name}-canary-${local.bucket_suffix}")
  }
  bucket_arns = { for what, name in local.buckets : what => "arn:aws:s3:::${name}" }

  # What drills restore into, made only while there are drills. None of the buckets above: objects are deleted there.
  scratch_bucket     = coalesce(var.bucket_names.scratch, "${var.name}-scratch-${local.bucket_suffix}")
  scratch_bucket_arn = "arn:aws:s3:::${local.scratch_bucket}"

  # <source>-<dd-mmm-yyyy>, as a pattern that no other source's buckets match.
  snapshot_bucket_arns  = [for source in keys(var.sources) : "arn:aws:s3:::${source}-??-???-????"]
  source_bucket_arns    = [for source in keys(var.sources) : "arn:aws:s3:::${source}"]
  source_accounts       = distinct([for source in values(var.sources) : source.account_id])
  source_kms_key_arns   = distinct(flatten([for source in values(var.sources) : source.kms_key_arns]))
  snapshot_kms_key_arns = distinct(compact([for source in values(var.sources) : source.snapshot.kms_key_arn]))
  target_kms_key_arns   = distinct(compact(concat([var.kms_key_arn], [for source in values(var.sources) : source.snapshot.kms_key_arn])))
  # Those whose archived objects are restored.
  archived_policies  = { for source, settings in var.sources : source => settings.archived.policy }
  thawed_sources     = [for source, policy in local.archived_policies : source if policy == "restore"]
  thawed_bucket_arns = [for source in local.thawed_sources : "arn:aws:s3:::${source}"]

  queue_prefix     = "${var.name}-"
  queue_url_prefix = "https://sqs.${var.region}.amazonaws.com/${var.account_id}/${local.queue_prefix}"
  queue_arn_prefix = "arn:aws:sqs:${var.region}:${var.account_id}:${local.queue_prefix}"
  queue_arns       = { for stage in local.stages : stage => "${local.queue_arn_prefix}${stage}" }
  # Where messages go that nobody could work on: of each stage, and of the schedules, the rules and the subscriptions.
  dead_letter_names = concat(local.stages, ["schedules", "events", "notifications"])
  dead_letter_arns  = { for name in local.dead_letter_names : name => "${local.queue_arn_prefix}${name}-dlq" }
  schedules_dlq_arn = local.dead_letter_arns["schedules"]
  every_queue_arn   = concat(values(local.queue_arns), values(local.dead_letter_arns))

  state_machine_name = "${var.name}-backup"
  state_machine_arn  = "arn:aws:states:${var.region}:${var.account_id}:stateMachine:${local.state_machine_name}"
  execution_arns     = "arn:aws:states:${var.region}:${var.account_id}:execution:${local.state_machine_name}:*"
  # Restores have a state machine of their own, so that none counts as a night.
  restore_state_machine_name = "${var.name}-restore"
  restore_state_machine_arn  = "arn:aws:states:${var.region}:${var.account_id}:stateMachine:${local.restore_state_machine_name}"
  restore_execution_arns     = "arn:aws:states:${var.region}:${var.account_id}:execution:${local.restore_state_machine_name}:*"
  # So have drills, so that none counts as a restore that somebody asked for.
  drill_state_machine_name = "${var.name}-drill"
  drill_state_machine_arn  = "arn:aws:states:${var.region}:${var.account_id}:stateMachine:${local.drill_state_machine_name}"
  drill_execution_arns     = "arn:aws:states:${var.region}:${var.account_id}:execution:${local.drill_state_machine_name}:*"
  # Those that are there.
  state_machine_arns = concat([local.state_machine_arn, local.restore_state_machine_arn], [for arn in [local.drill_state_machine_arn] : arn if local.drilling])
  # Executions and schedules hold the source's name and something more, in 80 and 64 characters.
  short_sources  = { for source in keys(var.sources) : source => substr(source, 0, 58) }
  schedule_group = "default"
  schedule_names = { for source, short in local.short_sources : source => "${var.name}-${short}" }
  schedule_arns  = "arn:aws:scheduler:${var.region}:${var.account_id}:schedule/${local.schedule_group}/${var.name}-*"

  event_bus_name = var.name
  event_bus_arn  = "arn:aws:events:${var.region}:${var.account_id}:event-bus/${local.event_bus_name}"
  topic_name     = "${var.name}-notifications"
  topic_arn      = "arn:aws:sns:${var.region}:${var.account_id}:${local.topic_name}"

  # Rules of Levee's bus, of the default bus, and the one per source that sees its runs complete.
  levee_rules = { for what in concat(["copy-failures"], local.drilling ? ["drill-completed"] : [], ["run-completed", "run-degraded", "run-started", "tables-torn"]) : what => "${var.name}-${what}" }
  failed_rule = "${var.name}-run-failed"
  # A rule's name has 64 characters at most: what is left for the source, but 40 at most, tells a person which it is, and the
  # digest tells any two apart.
  completed_rules = { for source in keys(var.sources) : source =>
    "${var.name}-completed-${substr(source, 0, min(40, 44 - length(var.name)))}-${substr(sha256(source), 0, 8)}"
  }
  rule_arn_prefix = "arn:aws:events:${var.region}:${var.account_id}:rule/"
  # Those that tell the topic.
  telling_rule_arns = concat(
    [for rule in values(local.levee_rules) : "${local.rule_arn_prefix}${local.event_bus_name}/${rule}"],
    ["${local.rule_arn_prefix}${local.failed_rule}"],
  )
  # Those that the doctor looks at. It knows nothing of drills. The rules of completed runs are a pattern: the policies that name them
  # have limits, the number of sources has none.
  rule_arns = concat([for arn in local.telling_rule_arns : arn if !endswith(arn, "/${var.name}-drill-completed")], ["${local.rule_arn_prefix}${var.name}-completed-*"])

  log_groups = {
    state-machine = "/aws/vendedlogs/states/${local.state_machine_name}"
    restores      = "/aws/vendedlogs/states/${local.restore_state_machine_name}"
    drills        = "/aws/vendedlogs/states/${local.drill_state_machine_name}"
    completed     = "/aws/events/${var.name}/completed"
    workers       = "/levee/${var.name}/workers"
  }
  log_group_arns = { for what, name in local.log_groups : what => "arn:aws:logs:${var.region}:${var.account_id}:log-group:${name}" }

  role_arn_prefix = "arn:aws:iam::${var.account_id}:role/${var.name}-"
  copy_role_arn   = "${local.role_arn_prefix}batch-copy"
  # Made only while restores are enabled.
  restore_role_arn = "${local.role_arn_prefix}batch-restore"
  # Made only while there are drills.
  drill_role_arn = "${local.role_arn_prefix}batch-drill"
  # One per worker group: its name behind `worker-`.
  worker_role_arns = { for group in keys(var.worker_groups) : group => "${local.role_arn_prefix}worker-${group}" }
  # Look whether objects are gone, and whether they are restored.
  looking_role_arns = [for group, stages in var.worker_groups : local.worker_role_arns[group] if contains(stages, "report-parse") || (contains(stages, "thaw") && length(local.thawed_sources) > 0)]
  # Copy large objects, and what a table lacks.
  copying_role_arns      = [for group, stages in var.worker_groups : local.worker_role_arns[group] if contains(stages, "large-copy") || contains(stages, "table-verify")]
  state_machine_role_arn = "${local.role_arn_prefix}state-machine"
  scheduler_role_arn     = "${local.role_arn_prefix}scheduler"
  execution_role_arn     = "${local.role_arn_prefix}task-execution"
  doctor_role_arn        = "${local.role_arn_prefix}doctor"

  tags = merge({ "levee:deployment" = var.name }, var.tags)
}
