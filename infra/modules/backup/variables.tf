variable "account_id" {
  description = "The backup account: 12 digits. Every name and policy is built from it, so that a plan shows them in full."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account's id has 12 digits."
  }
}

variable "region" {
  description = "The Region of the backup account's resources. Inventories can only be delivered within a Region: the sources are in it too."
  type        = string
}

variable "name" {
  description = "What the names of all resources begin with. Two deployments in one account need two names."
  type        = string
  default     = "levee"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name))
    error_message = "2 to 20 characters out of a-z, 0-9 and `-`, a letter first."
  }
}

variable "sources" {
  description = <<-EOT
    The buckets to protect, by name.
      account_id              the account that owns the bucket, 12 digits; never the backup account
      inventory_id            the id of its inventory configuration; the source module has the same default
      schedule                when a run starts, as EventBridge Scheduler takes it
      time_zone               the IANA zone of the schedule and of the backup dates
      enabled                 false keeps everything and starts no more runs
      settle_days             days that S3 Inventory is given to become consistent: a run backs up the day so many days before
      manifest_limit_hours    how long a run waits for its inventory
      stall_limit_hours       how long a copy job may stand still
      priority                of the copy jobs among the account's jobs; higher goes first
      retries                 how often rows that failed in passing are copied again without anybody's doing, 0 to 10
      slice_files             data files of an inventory that one worker reads; an inventory with more of them is read in slices
      selection               which objects are backed up; all without it. include and exclude are lists of { prefix = "..." } or
                              { glob = "..." }, storage_classes a list of classes; docs/plan.md says what they take
      archived                what is done about archived objects: policy fail (the run stops on them), skip, or restore; then tier
                              (BULK or STANDARD), days that the restored copies stay, limit_hours that they are waited for
      completed_within_hours  without a completed run for so long the alarm goes off (at most 168)
      kms_key_arns            customer managed keys that objects of the source are encrypted with
      snapshot                how the dated buckets are made: storage class, KMS key of the backup account, Object Lock, tags
  EOT
  type = map(object({
    account_id           = string
    inventory_id         = optional(string, "levee-daily")
    schedule             = optional(string, "cron(0 3 * * ? *)")
    time_zone            = optional(string, "UTC")
    enabled              = optional(bool, true)
    settle_days          = optional(number, 2)
    manifest_limit_hours = optional(number, 48)
    stall_limit_hours    = optional(number, 6)
    priority             = optional(number, 10)
    retries              = optional(number, 3)
    slice_files          = optional(number, 512)
    selection = optional(object({
      include         = optional(list(object({ prefix = optional(string), glob = optional(string) })), [])
      exclude         = optional(list(object({ prefix = optional(string), glob = optional(string) })), [])
      storage_classes = optional(list(string), [])
    }), {})
    archived = optional(object({
      policy      = optional(string, "fail")
      tier        = optional(string, "BULK")
      days        = optional(number, 7)
      limit_hours = optional(number, 72)
    }), {})
    completed_within_hours = optional(number, 36)
    kms_key_arns           = optional(list(string), [])
    snapshot = optional(object({
      storage_class = optional(string)
      kms_key_arn   = optional(string)
      object_lock   = optional(object({ mode = string, days = number }))
      tags          = optional(map(string), {})
    }), {})
  }))

  validation {
    condition     = length(var.sources) > 0
    error_message = "There is no source to protect."
  }
  validation {
    condition     = alltrue([for name, source in var.sources : can(regex("^[0-9]{12}$", source.account_id))])
    error_message = "The account_id of a source has 12 digits."
  }
  validation {
    condition     = alltrue([for name, source in var.sources : length(name) <= 51])
    error_message = "A dated bucket is named <source>-<dd-mmm-yyyy> and S3 allows 63 characters: a source's name has at most 51."
  }
  validation {
    condition     = alltrue([for name, source in var.sources : source.completed_within_hours >= 1 && source.completed_within_hours <= 168])
    error_message = "completed_within_hours is from 1 to 168: CloudWatch looks back seven days at most."
  }
  validation {
    condition     = alltrue([for name, source in var.sources : source.retries >= 0 && source.retries <= 10 && floor(source.retries) == source.retries])
    error_message = "retries is a whole number from 0 to 10."
  }
  validation {
    condition     = alltrue([for name, source in var.sources : source.slice_files >= 1 && source.slice_files <= 4294967295 && floor(source.slice_files) == source.slice_files])
    error_message = "slice_files is a whole number from 1 on."
  }
  validation {
    condition = alltrue(flatten([for name, source in var.sources : [for pattern in concat(source.selection.include, source.selection.exclude) :
    length([for text in [pattern.prefix, pattern.glob] : text if text != null && text != ""]) == 1]]))
    error_message = "A pattern of a selection has a prefix or a glob, not both, and it is not empty."
  }
  validation {
    condition     = alltrue(flatten([for name, source in var.sources : [for class in source.selection.storage_classes : contains(["STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], class)]]))
    error_message = "The storage classes of a selection are those of S3, as an inventory writes them."
  }
  validation {
    condition = alltrue([for name, source in var.sources :
    contains(["fail", "skip", "restore"], source.archived.policy) && contains(["BULK", "STANDARD"], source.archived.tier)])
    error_message = "The policy for archived objects is fail, skip or restore, and its tier BULK or STANDARD."
  }
  validation {
    condition = alltrue([for name, source in var.sources :
      source.archived.days >= 1 && source.archived.days <= 365 && floor(source.archived.days) == source.archived.days
    && source.archived.limit_hours >= 1 && source.archived.limit_hours <= 336 && floor(source.archived.limit_hours) == source.archived.limit_hours])
    error_message = "Restored copies stay for 1 to 365 days and are waited for over 1 to 336 hours, in whole numbers."
  }
  validation {
    condition     = alltrue([for name, source in var.sources : length("${var.name}-${name}") <= 64])
    error_message = "A schedule is named <name>-<source> and EventBridge Scheduler allows 64 characters: choose a shorter name for the deployment."
  }
  validation {
    condition     = var.allow_same_account || alltrue([for name, source in var.sources : source.account_id != var.account_id])
    error_message = "A source in the backup account has no wall between it and its backup. Only an emulator is a reason to set allow_same_account."
  }
  validation {
    condition     = alltrue([for name, source in var.sources : contains(["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], coalesce(source.snapshot.storage_class, "STANDARD"))])
    error_message = "The storage class of a snapshot is one that copy jobs can write: STANDARD to DEEP_ARCHIVE."
  }
  validation {
    condition = alltrue([for name, source in var.sources :
    source.snapshot.object_lock == null ? true : contains(["GOVERNANCE", "COMPLIANCE"], source.snapshot.object_lock.mode) && source.snapshot.object_lock.days >= 1])
    error_message = "The mode of a snapshot's Object Lock is GOVERNANCE or COMPLIANCE, and its days are 1 or more."
  }
}

variable "allow_same_account" {
  description = "Lets a source be in the backup account. It takes the wall down: for emulators, which cannot copy between accounts."
  type        = bool
  default     = false
}

variable "break_glass_arns" {
  description = "The principals, role ARNs or patterns of them, that may delete snapshots and change their protection. Without one only the root of the account can."
  type        = list(string)
  default     = []
}

variable "operator_arns" {
  description = "The principals that may assume the role for `levee doctor`. Without one the role is not made."
  type        = list(string)
  default     = []
}

variable "bucket_names" {
  description = "Names of Levee's own buckets, where the defaults (<name>-<what>-<account>-<region>) will not do."
  type = object({
    manifests = optional(string)
    reports   = optional(string)
    ledger    = optional(string)
    canary    = optional(string)
    scratch   = optional(string)
  })
  default = {}
}

variable "inventory_prefix" {
  description = "The prefix of inventories in the manifest bucket."
  type        = string
  default     = "inventory"
}

variable "ledger_lock" {
  description = "Default retention of the ledger bucket by Object Lock: mode GOVERNANCE or COMPLIANCE, and days. COMPLIANCE cannot be taken back by anybody."
  type        = object({ mode = string, days = number })
  default     = { mode = "GOVERNANCE", days = 365 }

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.ledger_lock.mode) && var.ledger_lock.days >= 1
    error_message = "The mode is GOVERNANCE or COMPLIANCE, and the days are 1 or more."
  }
}

variable "manifest_retention_days" {
  description = "Days that inventories are kept. Data files are read by copy jobs and their retries for as long as a run can be redriven (14 days), and by those that wait for their inventory: 30 or more."
  type        = number
  default     = 60

  validation {
    condition     = var.manifest_retention_days >= 30
    error_message = "A job may still read a data file that is younger than 30 days."
  }
}

variable "report_retention_days" {
  description = "Days that completion reports are kept; 0 for ever. They are the proof of what was copied: as long as the snapshots is a good choice."
  type        = number
  default     = 0

  validation {
    condition     = var.report_retention_days == 0 || var.report_retention_days >= 30
    error_message = "A run that is redriven may still read a report that is younger than 30 days; 0 keeps them for ever."
  }
}

variable "kms_key_arn" {
  description = "A customer managed key of the backup account for Levee's own buckets, queues, topic and logs. Without it: SSE-S3 and SSE-SQS, and the topic and the logs under keys of the services. Its policy must let the services in; see the module's README."
  type        = string
  default     = null
}

variable "receipt_signing_key_arn" {
  description = "The key of the backup account that receipts are signed with: asymmetric, SIGN_VERIFY, ECC_NIST_P256. run-close alone may sign with it. Without it receipts are not signed; see docs/receipts.md."
  type        = string
  default     = null

  validation {
    condition     = var.receipt_signing_key_arn == null || can(regex("^arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.receipt_signing_key_arn))
    error_message = "Give the full ARN of the key, not of an alias: arn:aws:kms:<region>:<account>:key/<id>."
  }
}

variable "restores" {
  description = <<-EOT
    Lets restores write, for as long as it is set; null, the default, when nobody is restoring. See "Restores" in the module's README.
      targets    the buckets that may be written to, by name: the sources as a rule
        account_id    the account that owns the bucket, 12 digits
        kms_key_arns  customer managed keys that its objects are encrypted with
      sources    the sources whose snapshots are restored from; all without it. Name them where there are dozens: a role holds so many
  EOT
  type = object({
    sources = optional(list(string))
    targets = map(object({
      account_id   = string
      kms_key_arns = optional(list(string), [])
    }))
  })
  default = null

  validation {
    condition     = var.restores == null ? true : length(var.restores.targets) > 0
    error_message = "A restore needs a bucket to write to: name one in targets, or leave restores null."
  }
  validation {
    condition     = try(var.restores.sources, null) == null ? true : length(var.restores.sources) > 0 && length(setsubtract(var.restores.sources, keys(var.sources))) == 0
    error_message = "The sources that are restored from are names out of the variable sources, at least one of them; all without the list."
  }
  validation {
    condition     = var.restores == null ? true : alltrue([for bucket in keys(var.restores.targets) : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", bucket))])
    error_message = "A target is named by its bucket's name: 3 to 63 characters out of a-z, 0-9, `.` and `-`, without wildcards."
  }
  validation {
    condition     = var.restores == null ? true : alltrue([for target in values(var.restores.targets) : can(regex("^[0-9]{12}$", target.account_id))])
    error_message = "The account_id of a target has 12 digits."
  }
  validation {
    # Its copies are what restores are made from, whichever deployment made them.
    condition = var.restores == null ? true : alltrue([for bucket in keys(var.restores.targets) :
    !can(regex("-[0-9]{2}-[a-z]{3}-[0-9]{4}$", bucket)) && !contains(concat(values(local.buckets), [local.scratch_bucket]), bucket)])
    error_message = "Nothing is restored into a snapshot bucket (<source>-<dd-mmm-yyyy>) or into one of Levee's own."
  }
  validation {
    condition = var.restores == null ? true : alltrue(flatten([for target in values(var.restores.targets) : [for key in target.kms_key_arns :
    can(regex("^arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", key))]]))
    error_message = "Give the full ARN of a key, not of an alias: arn:aws:kms:<region>:<account>:key/<id>."
  }
  validation {
    # A condition on the account alone would otherwise be all that stands between a typing error and somebody else's bucket.
    condition = var.restores == null ? true : alltrue([for bucket, target in var.restores.targets :
    !contains(keys(var.sources), bucket) ? true : var.sources[bucket].account_id == target.account_id])
    error_message = "A target that is a source has another account_id there."
  }
}

variable "drills" {
  description = <<-EOT
    Restores some tables into a scratch bucket on a schedule, to see that it works and how long it takes; null, the default, for no drills.
    See "Drills" in the module's README.
      schedule_expression  when the drill of each source starts, as EventBridge Scheduler takes it: cron(...) or rate(...)
      time_zone            the IANA zone of the schedule
      tables               how many tables a drill restores, 1 to 100
      limit_days           without a drill that succeeded for so many days the alarm goes off, 1 to 21
      sources              the sources that are drilled; all without it
  EOT
  type = object({
    schedule_expression = optional(string, "cron(0 6 ? * SUN *)")
    time_zone           = optional(string, "UTC")
    tables              = optional(number, 3)
    limit_days          = optional(number, 15)
    sources             = optional(list(string))
  })
  default = null

  validation {
    condition     = var.drills == null ? true : can(regex("^(cron|rate)\\([^()]+\\)$", var.drills.schedule_expression))
    error_message = "The schedule of drills is cron(...) or rate(...): a single time, at(...), would be one drill for ever."
  }
  validation {
    condition     = var.drills == null ? true : can(regex("^[A-Za-z][A-Za-z0-9_+/-]*$", var.drills.time_zone))
    error_message = "The time_zone of drills is an IANA zone: UTC, Europe/Berlin."
  }
  validation {
    condition     = var.drills == null ? true : var.drills.tables >= 1 && var.drills.tables <= 100 && floor(var.drills.tables) == var.drills.tables
    error_message = "A drill restores 1 to 100 tables, a whole number."
  }
  validation {
    condition     = var.drills == null ? true : var.drills.limit_days >= 1 && var.drills.limit_days <= 21 && floor(var.drills.limit_days) == var.drills.limit_days
    error_message = "limit_days is a whole number from 1 to 21: a queue remembers a drill for 14 days, and CloudWatch looks back over 7 more."
  }
  validation {
    condition     = try(var.drills.sources, null) == null ? true : length(var.drills.sources) > 0 && length(setsubtract(var.drills.sources, keys(var.sources))) == 0
    error_message = "The sources that are drilled are names out of the variable sources, at least one of them; all without the list."
  }
  validation {
    condition     = var.drills == null ? true : length(setintersection([for source in coalesce(var.drills.sources, keys(var.sources)) : "drill-${source}"], keys(var.sources))) == 0
    error_message = "The schedule of a source's drills would have the name of another source's schedule, whose name begins with drill-: leave one of them out of drills.sources."
  }
  validation {
    # Drills delete what is in it.
    condition = var.drills == null ? true : alltrue([
      can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", local.scratch_bucket)),
      !can(regex("-[0-9]{2}-[a-z]{3}-[0-9]{4}$", local.scratch_bucket)),
      !contains(concat(values(local.buckets), keys(var.sources)), local.scratch_bucket),
    ])
    error_message = "The scratch bucket, whose objects are deleted, is a bucket of its own: neither a source, nor a snapshot bucket (<source>-<dd-mmm-yyyy>), nor another one of Levee's. Its name has 3 to 63 characters out of a-z, 0-9, `.` and `-`."
  }
}

variable "worker_groups" {
  description = "Which stages one ECS service works on, by the group's name. A role per group; a group for each stage gives each worker only its own calls. As ECS services, groups have at most three stages: their scaling adds up three metrics of each queue, and CloudWatch takes ten."
  type        = map(list(string))
  default = {
    manifest-ready   = ["manifest-ready"]
    bucket-provision = ["bucket-provision"]
    job-submit       = ["job-submit"]
    job-poll         = ["job-poll"]
    report-parse     = ["report-parse"]
    thaw             = ["thaw"]
    large-copy       = ["large-copy"]
    snapshot-check   = ["snapshot-check"]
    table-verify     = ["table-verify"]
    run-close        = ["run-close"]
    restore-plan     = ["restore-plan"]
    drill-plan       = ["drill-plan"]
    drill-close      = ["drill-close"]
  }

  validation {
    condition = alltrue([for stage in ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "snapshot-check", "table-verify", "run-close", "restore-plan", "drill-plan", "drill-close"] :
    length([for name in flatten(values(var.worker_groups)) : name if name == stage]) == 1])
    error_message = "Every stage is in exactly one group: manifest-ready, bucket-provision, job-submit, job-poll, report-parse, thaw, large-copy, snapshot-check, table-verify, run-close, restore-plan, drill-plan, drill-close."
  }
  validation {
    condition     = alltrue([for name, stages in var.worker_groups : length(stages) > 0 && length(setsubtract(stages, ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "snapshot-check", "table-verify", "run-close", "restore-plan", "drill-plan", "drill-close"])) == 0])
    error_message = "A group has one stage or more, and stages are manifest-ready, bucket-provision, job-submit, job-poll, report-parse, thaw, large-copy, snapshot-check, table-verify, run-close, restore-plan, drill-plan and drill-close."
  }
  validation {
    condition     = alltrue([for name in keys(var.worker_groups) : can(regex("^[a-z][a-z0-9-]{1,24}$", name))])
    error_message = "A group's name has 2 to 25 characters out of a-z, 0-9 and `-`."
  }
}

variable "worker_trust" {
  description = "Who may take on the workers' roles beside ECS, as the JSON of a trust policy: for example a Kubernetes cluster's OIDC provider, or IAM Roles Anywhere for systemd. {group} in it is the group's name, so that each group has a role that nobody else takes on."
  type        = string
  default     = null
}

variable "ecs" {
  description = <<-EOT
    Where the workers run as ECS Fargate services; null when they run elsewhere.
      image               the image, by digest in production
      subnet_ids          subnets with a way to the AWS endpoints (NAT, or VPC endpoints)
      security_group_ids  groups that let HTTPS out; nothing comes in
      assign_public_ip    true in a public subnet without NAT
      cpu, memory         of a task, in CPU units and MiB
      minimum, maximum    tasks of a service. 0 scales to zero when its queues are empty; 1 starts without the minutes that takes
      concurrency         tasks of a stage that one process works on at a time
      scaling             false leaves the number of tasks alone: for an emulator without Application Auto Scaling
  EOT
  type = object({
    image              = string
    subnet_ids         = list(string)
    security_group_ids = list(string)
    assign_public_ip   = optional(bool, false)
    cpu                = optional(number, 256)
    memory             = optional(number, 512)
    minimum            = optional(number, 0)
    maximum            = optional(number, 2)
    concurrency        = optional(number, 4)
    scaling            = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.ecs == null ? true : var.ecs.minimum >= 0 && var.ecs.maximum >= max(1, var.ecs.minimum) && var.ecs.concurrency >= 1
    error_message = "maximum is 1 or more and no less than minimum, minimum is 0 or more, concurrency is 1 or more."
  }
}

variable "subscriptions" {
  description = <<-EOT
    Who is told, by any name.
      protocol    email, https or sqs
      endpoint    the address, the URL or the queue's ARN
      severities  of critical (a run failed, an alarm), warning (objects were not copied, a run completed with something to look at), info (a run started or completed); all without it
  EOT
  type = map(object({
    protocol   = string
    endpoint   = string
    severities = optional(list(string))
  }))
  default = {}

  validation {
    condition     = alltrue([for name, subscription in var.subscriptions : contains(["email", "https", "sqs"], subscription.protocol)])
    error_message = "The protocol is email, https or sqs."
  }
  validation {
    condition = alltrue([for name, subscription in var.subscriptions :
    subscription.severities == null ? true : length(subscription.severities) > 0 && length(setsubtract(subscription.severities, ["critical", "warning", "info"])) == 0])
    error_message = "Severities are critical, warning and info, at least one of them; all without the list."
  }
}

variable "oldest_message_seconds" {
  description = "The age at which a waiting message raises the alarm: a worker that is not there."
  type        = number
  default     = 3600
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 365
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}

variable "tracing" {
  description = "Whether the state machine sends traces to X-Ray."
  type        = bool
  default     = false
}
