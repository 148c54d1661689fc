# The workers' roles: one per group, with the calls of its stages and no others. The calls are those of the stages' sources
# (workers/*/src), of the runtime (crates/stage), of the ledger (crates/ledger) and of copies in parts (crates/parts). None but
# drill-close may delete an object, and it does in the scratch bucket alone (iam_drill.tf).

locals {
  # The records that a stage writes, below runs/<source>/<date>/ (claims) or runs/<source>/<date>/<execution>/, and for a
  # restore below restores/<source>/<id>/.
  stage_records = {
    manifest-ready   = ["claim-*.json", "01-manifest-ready.json", "01-manifest-ready-slice*.json", "plan-*"]
    bucket-provision = ["02-bucket-provision.json"]
    job-submit       = ["03-job-submit-attempt-*.json"]
    job-poll         = ["04-job-poll-attempt-*.json"]
    report-parse     = ["05-report-parse-attempt-*"]
    thaw             = ["05-thaw.json", "05-thaw-*"]
    large-copy       = ["06-large-copy*"]
    snapshot-check   = ["07-snapshot-check*"]
    table-verify     = ["08-table-verify*"]
    run-close        = ["receipt.json", "report.html"]
    # Not plan.json, which says what is to be done: that is the operator's, and of a drill drill-plan's.
    restore-plan = ["claim-*.json", "planned.json", "plan-*"]
    drill-plan   = ["plan.json"]
    drill-close  = ["09-drill-close*.json"]
  }
  # The stages of statemachine/restore.asl.json. All but the first of them are stages of nights too.
  restore_stages = ["restore-plan", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "table-verify", "run-close"]
  # Those that statemachine/drill.asl.json has in front of them and behind them. A drill is a restore, and its records are where theirs are.
  drill_stages = ["drill-plan", "drill-close"]
  record_places = { for stage in local.stages : stage => concat(
    contains(concat(["restore-plan"], local.drill_stages), stage) ? [] : ["runs"],
    contains(concat(local.restore_stages, local.drill_stages), stage) ? ["restores"] : [],
  ) }
  # A restore has no page.
  night_records = ["report.html"]
  record_arns = { for stage, places in local.record_places : stage => flatten([for place in places : [
    for record in local.stage_records[stage] : "${local.bucket_arns.ledger}/${place}/*/${record}" if place == "runs" || !contains(local.night_records, record)
  ]]) }

  # What every stage does: work on its queue, set aside what it cannot read, write its records.
  stage_common = { for stage in local.stages : stage => [
    {
      Sid      = "${local.stage_sids[stage]}WorksOnItsQueue"
      Effect   = "Allow"
      Action   = ["sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:SendMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
      Resource = local.queue_arns[stage]
    },
    {
      Sid      = "${local.stage_sids[stage]}SetsMessagesAside"
      Effect   = "Allow"
      Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
      Resource = local.dead_letter_arns[stage]
    },
    {
      Sid      = "${local.stage_sids[stage]}WritesItsRecords"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = local.record_arns[stage]
    },
  ] }
  stage_sids = { for stage in local.stages : stage => replace(title(replace(stage, "-", " ")), " ", "") }

  # What a stage needs that copies objects of any size from sources into snapshots (crates/parts).
  copies_in_parts = { for stage in ["large-copy", "table-verify"] : stage => concat(
    [
      {
        Sid      = "${local.stage_sids[stage]}ReadsSources"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"]
        Resource = [for arn in local.source_bucket_arns : "${arn}/*"]
      },
      # Without it an object that is gone answers 403, and could not be told from one that is denied.
      { Sid = "${local.stage_sids[stage]}ListsSources", Effect = "Allow", Action = "s3:ListBucket", Resource = local.source_bucket_arns },
      {
        Sid       = "${local.stage_sids[stage]}WritesCopies"
        Effect    = "Allow"
        Action    = ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"]
        Resource  = [for arn in local.snapshot_bucket_arns : "${arn}/*"]
        Condition = local.own_account_only
      },
      # Copies are looked at by HEAD; the action is that of a GET.
      {
        Sid      = "${local.stage_sids[stage]}LooksAtCopies"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:ListMultipartUploadParts"]
        Resource = [for arn in local.snapshot_bucket_arns : "${arn}/*"]
      },
      {
        Sid      = "${local.stage_sids[stage]}ListsCopies"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = local.snapshot_bucket_arns
      },
    ],
    [for statement in [{
      Sid      = "${local.stage_sids[stage]}DecryptsSources"
      Effect   = "Allow"
      Action   = "kms:Decrypt"
      Resource = local.source_kms_key_arns
    }] : statement if length(local.source_kms_key_arns) > 0],
    # Data keys for copies; decryption for what is written in parts, and for the checksums that a HEAD tells.
    [for statement in [{
      Sid      = "${local.stage_sids[stage]}EncryptsCopies"
      Effect   = "Allow"
      Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
      Resource = local.snapshot_kms_key_arns
    }] : statement if length(local.snapshot_kms_key_arns) > 0],
  ) }

  # What one stage does and no other.
  stage_own = {
    manifest-ready = [
      { Sid = "ManifestReadyFindsInventories", Effect = "Allow", Action = "s3:ListBucket", Resource = local.bucket_arns.manifests },
      { Sid = "ManifestReadyReadsInventories", Effect = "Allow", Action = ["s3:GetObject", "s3:GetObjectVersion"], Resource = "${local.bucket_arns.manifests}/*" },
      { Sid = "ManifestReadyGivesUpUploads", Effect = "Allow", Action = "s3:AbortMultipartUpload", Resource = "${local.bucket_arns.ledger}/runs/*/plan-*" },
      { Sid = "ManifestReadyAsksForTheOwnerOfAClaim", Effect = "Allow", Action = "states:DescribeExecution", Resource = local.execution_arns },
      { Sid = "ManifestReadyTellsOfRuns", Effect = "Allow", Action = "events:PutEvents", Resource = local.event_bus_arn },
    ]
    bucket-provision = concat(
      [
        { Sid = "BucketProvisionMakesSnapshotBuckets", Effect = "Allow", Action = "s3:CreateBucket", Resource = local.snapshot_bucket_arns },
        {
          Sid    = "BucketProvisionReadsTheirSettings"
          Effect = "Allow"
          Action = [
            "s3:ListBucket",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:GetBucketTagging",
            "s3:GetBucketPolicy",
          ]
          Resource = local.snapshot_bucket_arns
        },
        {
          # The bucket's own policy, which is written last, denies most of these from then on.
          Sid    = "BucketProvisionWritesTheirSettings"
          Effect = "Allow"
          Action = [
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
            "s3:PutBucketTagging",
            "s3:PutBucketPolicy",
          ]
          Resource = local.snapshot_bucket_arns
        },
      ],
      [for statement in [{
        Sid      = "BucketProvisionLocksSnapshotBuckets"
        Effect   = "Allow"
        Action   = ["s3:GetBucketObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"]
        Resource = local.locked_bucket_arns
      }] : statement if length(local.locked_bucket_arns) > 0],
    )
    job-submit = [
      # Neither action knows a resource: a job has no ARN before it is there.
      { Sid = "JobSubmitMakesJobs", Effect = "Allow", Action = "s3:CreateJob", Resource = "*" },
      { Sid = "JobSubmitFindsJobs", Effect = "Allow", Action = "s3:ListJobs", Resource = "*" },
      # Without iam:PassedToService: CreateJob does not fill it in, and the condition would always deny.
      { Sid = "JobSubmitHandsTheCopyRoleOver", Effect = "Allow", Action = "iam:PassRole", Resource = local.copy_role_arn },
    ]
    job-poll = [
      { Sid = "JobPollWatchesJobs", Effect = "Allow", Action = "s3:DescribeJob", Resource = local.job_arns },
    ]
    report-parse = [
      # Without s3:ListBucket a report that is not there yet answers 403 and not 404.
      { Sid = "ReportParseFindsReports", Effect = "Allow", Action = "s3:ListBucket", Resource = local.bucket_arns.reports },
      { Sid = "ReportParseReadsReports", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.bucket_arns.reports}/*" },
      {
        Sid      = "ReportParseGivesUpUploads"
        Effect   = "Allow"
        Action   = "s3:AbortMultipartUpload"
        Resource = local.record_arns["report-parse"]
      },
      # What a report says is gone is looked for. Without s3:ListBucket an object that is gone answers 403 and not 404.
      { Sid = "ReportParseLooksForObjects", Effect = "Allow", Action = "s3:GetObject", Resource = [for arn in local.source_bucket_arns : "${arn}/*"] },
      { Sid = "ReportParseListsSources", Effect = "Allow", Action = "s3:ListBucket", Resource = local.source_bucket_arns },
      { Sid = "ReportParseTellsOfFailures", Effect = "Allow", Action = "events:PutEvents", Resource = local.event_bus_arn },
    ]
    thaw = concat(
      [
        # Neither action knows a resource: a job has no ARN before it is there.
        { Sid = "ThawMakesJobs", Effect = "Allow", Action = "s3:CreateJob", Resource = "*" },
        { Sid = "ThawFindsJobs", Effect = "Allow", Action = "s3:ListJobs", Resource = "*" },
        { Sid = "ThawWatchesJobs", Effect = "Allow", Action = "s3:DescribeJob", Resource = local.job_arns },
        # Without iam:PassedToService: CreateJob does not fill it in, and the condition would always deny.
        { Sid = "ThawHandsTheCopyRoleOver", Effect = "Allow", Action = "iam:PassRole", Resource = local.copy_role_arn },
        # Without s3:ListBucket a report that is not there yet answers 403 and not 404.
        { Sid = "ThawFindsReports", Effect = "Allow", Action = "s3:ListBucket", Resource = local.bucket_arns.reports },
        { Sid = "ThawReadsReports", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.bucket_arns.reports}/*" },
        {
          Sid      = "ThawGivesUpUploads"
          Effect   = "Allow"
          Action   = "s3:AbortMultipartUpload"
          Resource = [for place in local.record_places["thaw"] : "${local.bucket_arns.ledger}/${place}/*/05-thaw-*"]
        },
      ],
      # HEADs tell which objects are restored. Without s3:ListBucket one that is gone answers 403 and not 404.
      [for statement in [
        { Sid = "ThawLooksAtObjects", Effect = "Allow", Action = "s3:GetObject", Resource = [for arn in local.thawed_bucket_arns : "${arn}/*"] },
        { Sid = "ThawListsSources", Effect = "Allow", Action = "s3:ListBucket", Resource = local.thawed_bucket_arns },
      ] : statement if length(local.thawed_bucket_arns) > 0],
    )
    large-copy = concat(local.copies_in_parts["large-copy"], [
      {
        Sid      = "LargeCopyGivesUpUploads"
        Effect   = "Allow"
        Action   = "s3:AbortMultipartUpload"
        Resource = local.record_arns["large-copy"]
      },
      { Sid = "LargeCopyTellsOfFailures", Effect = "Allow", Action = "events:PutEvents", Resource = local.event_bus_arn },
    ])
    snapshot-check = [
      # What was to be copied, in the inventory, whose manifest was pinned by its version; plans and lists are in the ledger.
      { Sid = "SnapshotCheckReadsInventories", Effect = "Allow", Action = ["s3:GetObject", "s3:GetObjectVersion"], Resource = "${local.bucket_arns.manifests}/*" },
      { Sid = "SnapshotCheckListsSnapshots", Effect = "Allow", Action = "s3:ListBucket", Resource = local.snapshot_bucket_arns },
      { Sid = "SnapshotCheckTellsOfFailures", Effect = "Allow", Action = "events:PutEvents", Resource = local.event_bus_arn },
    ]
    # Logs and checkpoints of copies and of sources are read, and every object is listed. What a copy of a table lacks is copied from the
    # source, whose log says what that is.
    table-verify = concat(local.copies_in_parts["table-verify"], [
      # What is too large for one call is copied as large-copy does, and its uploads are written down where that stage writes its own.
      { Sid = "TableVerifyWritesUploadsDown", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.bucket_arns.ledger}/runs/*/06-large-copy/*" },
      {
        Sid      = "TableVerifyGivesUpUploads"
        Effect   = "Allow"
        Action   = "s3:AbortMultipartUpload"
        Resource = local.record_arns["table-verify"]
      },
      { Sid = "TableVerifyTellsOfTables", Effect = "Allow", Action = "events:PutEvents", Resource = local.event_bus_arn },
    ])
    run-close = concat(
      [
        # The chain of each source. A receipt that is there is never written again: the stage sends If-None-Match.
        { Sid = "RunCloseReadsReceipts", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.bucket_arns.ledger}/receipts/*" },
        { Sid = "RunCloseWritesReceipts", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.bucket_arns.ledger}/receipts/*" },
        # Which stages the run has passed, and when.
        { Sid = "RunCloseReadsHistories", Effect = "Allow", Action = "states:GetExecutionHistory", Resource = concat([local.execution_arns], local.restoring_execution_arns) },
        # The reports that were read are pinned by their entity tags. Without s3:ListBucket one that is gone answers 403 and not 404.
        { Sid = "RunCloseFindsReports", Effect = "Allow", Action = "s3:ListBucket", Resource = local.bucket_arns.reports },
        { Sid = "RunCloseLooksAtReports", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.bucket_arns.reports}/*" },
        { Sid = "RunCloseTellsOfRuns", Effect = "Allow", Action = "events:PutEvents", Resource = local.event_bus_arn },
      ],
      [for statement in [{
        Sid      = "RunCloseSignsReceipts"
        Effect   = "Allow"
        Action   = "kms:Sign"
        Resource = var.receipt_signing_key_arn
      }] : statement if var.receipt_signing_key_arn != null],
    )
    # What it reads of snapshots and targets is in iam_restore.tf.
    restore-plan = [
      { Sid = "RestorePlanGivesUpUploads", Effect = "Allow", Action = "s3:AbortMultipartUpload", Resource = "${local.bucket_arns.ledger}/restores/*/plan-*" },
      # No drill is taken over: each has a plan of its own.
      { Sid = "RestorePlanAsksForTheOwnerOfAClaim", Effect = "Allow", Action = "states:DescribeExecution", Resource = local.restore_execution_arns },
      { Sid = "RestorePlanTellsOfRestores", Effect = "Allow", Action = "events:PutEvents", Resource = local.event_bus_arn },
    ]
    # What they read of snapshots, and do in the scratch bucket, is in iam_drill.tf.
    drill-plan = [
      # What it answered each execution, below drill-plans/<source>/: the restore has no name before that.
      { Sid = "DrillPlanWritesAnswers", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.bucket_arns.ledger}/drill-plans/*" },
    ]
    drill-close = [
      # What came of each drill, below drills/<source>/.
      { Sid = "DrillCloseWritesDrills", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.bucket_arns.ledger}/drills/*" },
      { Sid = "DrillCloseTellsOfDrills", Effect = "Allow", Action = "events:PutEvents", Resource = local.event_bus_arn },
    ]
  }
  restoring_execution_arns = concat([local.restore_execution_arns], [for arns in [local.drill_execution_arns] : arns if local.drilling])
  locked_bucket_arns       = [for source, settings in var.sources : "arn:aws:s3:::${source}-??-???-????" if settings.snapshot.object_lock != null]
  job_arns                 = "arn:aws:s3:${var.region}:${var.account_id}:job/*"

  # What the stages of a group share.
  worker_common = { for group, stages in var.worker_groups : group => concat(
    [
      # Task tokens are no resources. Only the holder of a token can answer it.
      { Sid = "AnswersTasks", Effect = "Allow", Action = ["states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"], Resource = "*" },
      # No condition on s3:prefix: it would turn the 404 of a record that is not there into a 403.
      { Sid = "ListsTheLedger", Effect = "Allow", Action = "s3:ListBucket", Resource = local.bucket_arns.ledger },
      { Sid = "ReadsTheLedger", Effect = "Allow", Action = "s3:GetObject", Resource = [for place in local.ledger_places[group] : "${local.bucket_arns.ledger}/${place}/*"] },
    ],
    local.uses_key,
  ) }
  # A stage that no restore passes does not read of restores, nor does restore-plan of runs. What is drilled is chosen by the newest run
  # and by earlier drills, and compared with that run's receipt.
  ledger_places = { for group, stages in var.worker_groups : group => concat(
    length(setsubtract(stages, ["restore-plan"])) > 0 ? ["runs"] : [],
    length(setintersection(stages, concat(local.restore_stages, local.drill_stages))) > 0 ? ["restores"] : [],
    length(setintersection(stages, local.drill_stages)) > 0 ? ["drills"] : [],
    contains(stages, "drill-plan") ? ["drill-plans"] : [],
  ) }
  # Messages, records, inventories and reports under the deployment's key: decrypt to read, data keys to write.
  uses_key = [for statement in [{
    Sid      = "UsesTheDeploymentsKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = var.kms_key_arn
  }] : statement if var.kms_key_arn != null]

  worker_trust = { for group in keys(var.worker_groups) : group => jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "EcsTasks"
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:${var.region}:${var.account_id}:*" }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      }],
      var.worker_trust == null ? [] : flatten([jsondecode(replace(var.worker_trust, "{group}", group)).Statement]),
    )
  }) }

  worker_roles = { for group, stages in var.worker_groups : group => {
    description = "Levee's workers of ${join(", ", stages)}"
    trust       = local.worker_trust[group]
    policy = jsonencode({ Version = "2012-10-17", Statement = concat(
      local.worker_common[group],
      flatten([for stage in stages : local.stage_common[stage]]),
      flatten([for stage in stages : local.stage_own[stage]]),
      flatten([for stage in stages : lookup(local.stage_reading_snapshots, stage, []) if var.restores != null || local.drilling]),
      flatten([for stage in stages : lookup(local.stage_restoring, stage, []) if var.restores != null]),
      flatten([for stage in stages : lookup(local.stage_drilling, stage, []) if local.drilling]),
    ) })
  } }
}
