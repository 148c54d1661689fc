# What each worker may do, statement by statement: effect, actions, resources.

mock_provider "aws" {}

variables {
  account_id = "222222222222"
  region     = "us-east-1"
  sources = {
    lake-events = { account_id = "111111111111" }
    lake-orders = { account_id = "111111111111", snapshot = { object_lock = { mode = "GOVERNANCE", days = 35 } } }
  }
}

run "every_worker_has_its_own_calls_and_no_others" {
  command = plan

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-manifest-ready"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      AnswersTasks                         = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
      ListsTheLedger                       = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
      ReadsTheLedger                       = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*"
      ManifestReadyWorksOnItsQueue         = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-manifest-ready"
      ManifestReadySetsMessagesAside       = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-manifest-ready-dlq"
      ManifestReadyWritesItsRecords        = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/claim-*.json arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/01-manifest-ready.json arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/01-manifest-ready-slice*.json arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/plan-*"
      ManifestReadyFindsInventories        = "Allow s3:ListBucket on arn:aws:s3:::levee-manifests-222222222222-us-east-1"
      ManifestReadyReadsInventories        = "Allow s3:GetObject s3:GetObjectVersion on arn:aws:s3:::levee-manifests-222222222222-us-east-1/*"
      ManifestReadyGivesUpUploads          = "Allow s3:AbortMultipartUpload on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/plan-*"
      ManifestReadyAsksForTheOwnerOfAClaim = "Allow states:DescribeExecution on arn:aws:states:us-east-1:222222222222:execution:levee-backup:*"
      ManifestReadyTellsOfRuns             = "Allow events:PutEvents on arn:aws:events:us-east-1:222222222222:event-bus/levee"
    }
    error_message = "manifest-ready"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-bucket-provision"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      AnswersTasks                        = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
      ListsTheLedger                      = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
      ReadsTheLedger                      = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*"
      BucketProvisionWorksOnItsQueue      = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-bucket-provision"
      BucketProvisionSetsMessagesAside    = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-bucket-provision-dlq"
      BucketProvisionWritesItsRecords     = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/02-bucket-provision.json"
      BucketProvisionMakesSnapshotBuckets = "Allow s3:CreateBucket on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      BucketProvisionReadsTheirSettings   = "Allow s3:ListBucket s3:GetBucketOwnershipControls s3:GetBucketPublicAccessBlock s3:GetBucketVersioning s3:GetEncryptionConfiguration s3:GetLifecycleConfiguration s3:GetBucketTagging s3:GetBucketPolicy on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      BucketProvisionWritesTheirSettings  = "Allow s3:PutBucketOwnershipControls s3:PutBucketPublicAccessBlock s3:PutBucketVersioning s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration s3:PutBucketTagging s3:PutBucketPolicy on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      BucketProvisionLocksSnapshotBuckets = "Allow s3:GetBucketObjectLockConfiguration s3:PutBucketObjectLockConfiguration on arn:aws:s3:::lake-orders-??-???-????"
    }
    error_message = "bucket-provision"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-job-submit"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      AnswersTasks                  = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
      ListsTheLedger                = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
      ReadsTheLedger                = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*"
      JobSubmitWorksOnItsQueue      = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-job-submit"
      JobSubmitSetsMessagesAside    = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-job-submit-dlq"
      JobSubmitWritesItsRecords     = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/03-job-submit-attempt-*.json arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/03-job-submit-attempt-*.json"
      JobSubmitMakesJobs            = "Allow s3:CreateJob on *"
      JobSubmitFindsJobs            = "Allow s3:ListJobs on *"
      JobSubmitHandsTheCopyRoleOver = "Allow iam:PassRole on arn:aws:iam::222222222222:role/levee-batch-copy"
    }
    error_message = "job-submit"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-job-poll"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      AnswersTasks             = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
      ListsTheLedger           = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
      ReadsTheLedger           = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*"
      JobPollWorksOnItsQueue   = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-job-poll"
      JobPollSetsMessagesAside = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-job-poll-dlq"
      JobPollWritesItsRecords  = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/04-job-poll-attempt-*.json arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/04-job-poll-attempt-*.json"
      JobPollWatchesJobs       = "Allow s3:DescribeJob on arn:aws:s3:us-east-1:222222222222:job/*"
    }
    error_message = "job-poll"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-report-parse"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      AnswersTasks                 = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
      ListsTheLedger               = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
      ReadsTheLedger               = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*"
      ReportParseWorksOnItsQueue   = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-report-parse"
      ReportParseSetsMessagesAside = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-report-parse-dlq"
      ReportParseWritesItsRecords  = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/05-report-parse-attempt-* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/05-report-parse-attempt-*"
      ReportParseFindsReports      = "Allow s3:ListBucket on arn:aws:s3:::levee-reports-222222222222-us-east-1"
      ReportParseReadsReports      = "Allow s3:GetObject on arn:aws:s3:::levee-reports-222222222222-us-east-1/*"
      ReportParseGivesUpUploads    = "Allow s3:AbortMultipartUpload on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/05-report-parse-attempt-* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/05-report-parse-attempt-*"
      ReportParseLooksForObjects   = "Allow s3:GetObject on arn:aws:s3:::lake-events/* arn:aws:s3:::lake-orders/*"
      ReportParseListsSources      = "Allow s3:ListBucket on arn:aws:s3:::lake-events arn:aws:s3:::lake-orders"
      ReportParseTellsOfFailures   = "Allow events:PutEvents on arn:aws:events:us-east-1:222222222222:event-bus/levee"
    }
    error_message = "report-parse"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-large-copy"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      AnswersTasks               = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
      ListsTheLedger             = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
      ReadsTheLedger             = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*"
      LargeCopyWorksOnItsQueue   = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-large-copy"
      LargeCopySetsMessagesAside = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-large-copy-dlq"
      LargeCopyWritesItsRecords  = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/06-large-copy* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/06-large-copy*"
      LargeCopyReadsSources      = "Allow s3:GetObject s3:GetObjectVersion s3:GetObjectTagging s3:GetObjectVersionTagging on arn:aws:s3:::lake-events/* arn:aws:s3:::lake-orders/*"
      LargeCopyListsSources      = "Allow s3:ListBucket on arn:aws:s3:::lake-events arn:aws:s3:::lake-orders"
      LargeCopyWritesCopies      = "Allow s3:PutObject s3:PutObjectTagging s3:AbortMultipartUpload on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
      LargeCopyLooksAtCopies     = "Allow s3:GetObject s3:ListMultipartUploadParts on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
      LargeCopyListsCopies       = "Allow s3:ListBucket s3:ListBucketMultipartUploads on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      LargeCopyGivesUpUploads    = "Allow s3:AbortMultipartUpload on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/06-large-copy* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/06-large-copy*"
      LargeCopyTellsOfFailures   = "Allow events:PutEvents on arn:aws:events:us-east-1:222222222222:event-bus/levee"
    }
    error_message = "large-copy"
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.this["worker-large-copy"].policy).Statement : s.Condition == { StringEquals = { "aws:ResourceAccount" = "222222222222" } } if s.Sid == "LargeCopyWritesCopies"])
    error_message = "large-copy writes to a bucket of a stranger."
  }
}

run "large_copy_uses_the_keys_of_sources_and_snapshots" {
  command = plan
  variables {
    sources = { lake-events = { account_id = "111111111111", kms_key_arns = ["arn:aws:kms:us-east-1:111111111111:key/events"], snapshot = { kms_key_arn = "arn:aws:kms:us-east-1:222222222222:key/snapshots" } } }
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-large-copy"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) if strcontains(join(" ", flatten([s.Action])), "kms:") } == {
      LargeCopyDecryptsSources = "Allow kms:Decrypt on arn:aws:kms:us-east-1:111111111111:key/events"
      LargeCopyEncryptsCopies  = "Allow kms:GenerateDataKey kms:Decrypt on arn:aws:kms:us-east-1:222222222222:key/snapshots"
    }
    error_message = "The keys of large-copy."
  }
}

run "snapshot_check_has_its_own_calls_and_no_others" {
  command = plan

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-snapshot-check"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      AnswersTasks                   = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
      ListsTheLedger                 = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
      ReadsTheLedger                 = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*"
      SnapshotCheckWorksOnItsQueue   = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-snapshot-check"
      SnapshotCheckSetsMessagesAside = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-snapshot-check-dlq"
      SnapshotCheckWritesItsRecords  = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/07-snapshot-check*"
      SnapshotCheckReadsInventories  = "Allow s3:GetObject s3:GetObjectVersion on arn:aws:s3:::levee-manifests-222222222222-us-east-1/*"
      SnapshotCheckListsSnapshots    = "Allow s3:ListBucket on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      SnapshotCheckTellsOfFailures   = "Allow events:PutEvents on arn:aws:events:us-east-1:222222222222:event-bus/levee"
    }
    error_message = "snapshot-check"
  }
}

run "table_verify_reads_both_sides_and_writes_copies" {
  command = plan

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-table-verify"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      AnswersTasks                 = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
      ListsTheLedger               = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
      ReadsTheLedger               = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*"
      TableVerifyWorksOnItsQueue   = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-table-verify"
      TableVerifySetsMessagesAside = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-table-verify-dlq"
      TableVerifyWritesItsRecords  = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/08-table-verify* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/08-table-verify*"
      TableVerifyWritesUploadsDown = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/06-large-copy/*"
      TableVerifyReadsSources      = "Allow s3:GetObject s3:GetObjectVersion s3:GetObjectTagging s3:GetObjectVersionTagging on arn:aws:s3:::lake-events/* arn:aws:s3:::lake-orders/*"
      TableVerifyListsSources      = "Allow s3:ListBucket on arn:aws:s3:::lake-events arn:aws:s3:::lake-orders"
      TableVerifyWritesCopies      = "Allow s3:PutObject s3:PutObjectTagging s3:AbortMultipartUpload on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
      TableVerifyLooksAtCopies     = "Allow s3:GetObject s3:ListMultipartUploadParts on arn:aws:s3:::lake-events-??-???-????/* arn:aws:s3:::lake-orders-??-???-????/*"
      TableVerifyListsCopies       = "Allow s3:ListBucket s3:ListBucketMultipartUploads on arn:aws:s3:::lake-events-??-???-???? arn:aws:s3:::lake-orders-??-???-????"
      TableVerifyGivesUpUploads    = "Allow s3:AbortMultipartUpload on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/08-table-verify* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/08-table-verify*"
      TableVerifyTellsOfTables     = "Allow events:PutEvents on arn:aws:events:us-east-1:222222222222:event-bus/levee"
    }
    error_message = "table-verify"
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.this["worker-table-verify"].policy).Statement : s.Condition == { StringEquals = { "aws:ResourceAccount" = "222222222222" } } if s.Sid == "TableVerifyWritesCopies"])
    error_message = "table-verify writes to a bucket of a stranger."
  }
}

run "run_close_writes_receipts_and_signs_them_where_a_key_is_given" {
  command = plan
  variables {
    receipt_signing_key_arn = "arn:aws:kms:us-east-1:222222222222:key/receipts"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-run-close"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      AnswersTasks              = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
      ListsTheLedger            = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
      ReadsTheLedger            = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*"
      RunCloseWorksOnItsQueue   = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-run-close"
      RunCloseSetsMessagesAside = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-run-close-dlq"
      RunCloseWritesItsRecords  = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/receipt.json arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/report.html arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/receipt.json"
      RunCloseReadsReceipts     = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/receipts/*"
      RunCloseWritesReceipts    = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/receipts/*"
      RunCloseReadsHistories    = "Allow states:GetExecutionHistory on arn:aws:states:us-east-1:222222222222:execution:levee-backup:* arn:aws:states:us-east-1:222222222222:execution:levee-restore:*"
      RunCloseFindsReports      = "Allow s3:ListBucket on arn:aws:s3:::levee-reports-222222222222-us-east-1"
      RunCloseLooksAtReports    = "Allow s3:GetObject on arn:aws:s3:::levee-reports-222222222222-us-east-1/*"
      RunCloseTellsOfRuns       = "Allow events:PutEvents on arn:aws:events:us-east-1:222222222222:event-bus/levee"
      RunCloseSignsReceipts     = "Allow kms:Sign on arn:aws:kms:us-east-1:222222222222:key/receipts"
    }
    error_message = "run-close"
  }

  assert {
    condition     = [for name, policy in aws_iam_role_policy.this : name if strcontains(policy.policy, "kms:Sign")] == ["worker-run-close"]
    error_message = "Another role than run-close's signs receipts."
  }

  assert {
    condition     = output.worker_environment.LEVEE_RECEIPT_SIGNING_KEY_ARN == "arn:aws:kms:us-east-1:222222222222:key/receipts"
    error_message = "The workers are not told the key."
  }
}

run "no_role_may_delete_bypass_or_use_wildcards" {
  command = plan
  variables {
    operator_arns = ["arn:aws:iam::222222222222:role/operators"]
    kms_key_arn   = "arn:aws:kms:us-east-1:222222222222:key/own"
    ecs           = { image = "222222222222.dkr.ecr.us-east-1.amazonaws.com/levee@sha256:0", subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition = alltrue(flatten([for name, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : [for action in flatten([s.Action]) :
    !strcontains(action, "*") && (!strcontains(action, ":Delete") || contains(["sqs:DeleteMessage", "logs:DeleteLogDelivery"], action)) && !strcontains(action, "Bypass")]]]))
    error_message = "An action is a wildcard, deletes something, or bypasses retention."
  }

  assert {
    condition     = length(distinct([for name, policy in aws_iam_role_policy.this : policy.role])) == 18 && alltrue([for name, policy in aws_iam_role_policy.this : policy.role == "levee-${name}"])
    error_message = "There are not eighteen roles, or a policy is on another role than its own."
  }

  assert {
    condition = alltrue([for name, policy in aws_iam_role_policy.this : anytrue([for s in jsondecode(policy.policy).Statement :
    s.Sid == "UsesTheDeploymentsKey" && s.Resource == "arn:aws:kms:us-east-1:222222222222:key/own" && s.Action == ["kms:Decrypt", "kms:GenerateDataKey"]]) if startswith(name, "worker-")])
    error_message = "A worker cannot use the deployment's key."
  }
}

run "workers_are_trusted_to_ecs_of_this_account_and_to_whom_the_variable_names" {
  command = plan
  variables {
    worker_trust = jsonencode({ Version = "2012-10-17", Statement = { Sid = "Cluster", Effect = "Allow", Principal = { AWS = "arn:aws:iam::222222222222:role/cluster-{group}" }, Action = "sts:AssumeRole" } })
  }

  assert {
    condition = jsondecode(aws_iam_role.this["worker-job-poll"].assume_role_policy).Statement == [
      {
        Sid       = "EcsTasks"
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { ArnLike = { "aws:SourceArn" = "arn:aws:ecs:us-east-1:222222222222:*" }, StringEquals = { "aws:SourceAccount" = "222222222222" } }
      },
      { Sid = "Cluster", Effect = "Allow", Principal = { AWS = "arn:aws:iam::222222222222:role/cluster-job-poll" }, Action = "sts:AssumeRole" },
    ]
    error_message = "The trust of a worker's role."
  }
}

run "a_group_has_the_calls_of_its_stages" {
  command = plan
  variables {
    worker_groups = { first = ["manifest-ready", "bucket-provision", "job-submit", "job-poll"], second = ["report-parse", "thaw", "large-copy"], third = ["snapshot-check", "table-verify", "run-close", "restore-plan"], fourth = ["drill-plan", "drill-close"] }
  }

  assert {
    condition = (
      [for name, role in aws_iam_role.this : name if startswith(name, "worker-")] == ["worker-first", "worker-fourth", "worker-second", "worker-third"]
      && { for group in ["first", "second", "third", "fourth"] : group => [
        length(jsondecode(aws_iam_role_policy.this["worker-${group}"].policy).Statement),
        length(distinct([for s in jsondecode(aws_iam_role_policy.this["worker-${group}"].policy).Statement : s.Sid])),
      ] } == { first = [3 + 4 * 3 + 5 + 4 + 3 + 1, 28], second = [3 + 3 * 3 + 6 + 7 + 7, 32], third = [3 + 4 * 3 + 3 + 8 + 6 + 3, 35], fourth = [3 + 2 * 3 + 1 + 2, 12] }
    )
    error_message = "A group has not the statements of its stages, each under its own Sid."
  }
}

run "archived_objects_are_restored_where_a_source_asks_for_it" {
  command = plan

  variables {
    sources = {
      lake-cold   = { account_id = "111111111111", archived = { policy = "restore", tier = "STANDARD" } }
      lake-events = { account_id = "111111111111" }
      lake-orders = { account_id = "111111111111", archived = { policy = "skip" } }
    }
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this["worker-thaw"].policy).Statement : s.Sid => join(" ", concat([s.Effect], flatten([s.Action]), ["on"], flatten([s.Resource]))) } == {
      AnswersTasks             = "Allow states:SendTaskSuccess states:SendTaskFailure states:SendTaskHeartbeat on *"
      ListsTheLedger           = "Allow s3:ListBucket on arn:aws:s3:::levee-ledger-222222222222-us-east-1"
      ReadsTheLedger           = "Allow s3:GetObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*"
      ThawWorksOnItsQueue      = "Allow sqs:GetQueueUrl sqs:ReceiveMessage sqs:ChangeMessageVisibility sqs:SendMessage sqs:DeleteMessage sqs:GetQueueAttributes on arn:aws:sqs:us-east-1:222222222222:levee-thaw"
      ThawSetsMessagesAside    = "Allow sqs:GetQueueUrl sqs:SendMessage on arn:aws:sqs:us-east-1:222222222222:levee-thaw-dlq"
      ThawWritesItsRecords     = "Allow s3:PutObject on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/05-thaw.json arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/05-thaw-* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/05-thaw.json arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/05-thaw-*"
      ThawMakesJobs            = "Allow s3:CreateJob on *"
      ThawFindsJobs            = "Allow s3:ListJobs on *"
      ThawWatchesJobs          = "Allow s3:DescribeJob on arn:aws:s3:us-east-1:222222222222:job/*"
      ThawHandsTheCopyRoleOver = "Allow iam:PassRole on arn:aws:iam::222222222222:role/levee-batch-copy"
      ThawFindsReports         = "Allow s3:ListBucket on arn:aws:s3:::levee-reports-222222222222-us-east-1"
      ThawReadsReports         = "Allow s3:GetObject on arn:aws:s3:::levee-reports-222222222222-us-east-1/*"
      ThawGivesUpUploads       = "Allow s3:AbortMultipartUpload on arn:aws:s3:::levee-ledger-222222222222-us-east-1/runs/*/05-thaw-* arn:aws:s3:::levee-ledger-222222222222-us-east-1/restores/*/05-thaw-*"
      ThawLooksAtObjects       = "Allow s3:GetObject on arn:aws:s3:::lake-cold/*"
      ThawListsSources         = "Allow s3:ListBucket on arn:aws:s3:::lake-cold"
    }
    error_message = "thaw"
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this["batch-copy"].policy).Statement : flatten([s.Resource]) if contains(flatten([s.Action]), "s3:RestoreObject")] == [["arn:aws:s3:::lake-cold/*"]]
    error_message = "The copy role restores other objects than those of the one source."
  }

  assert {
    condition = (
      output.for_sources.restored_buckets == ["lake-cold"]
      && contains(output.for_sources.reader_role_arns, "arn:aws:iam::222222222222:role/levee-worker-thaw")
    )
    error_message = "The source module is not told what to let in."
  }

  assert {
    condition = { for source, schedule in aws_scheduler_schedule.source : source => try(jsonencode(jsondecode(jsondecode(schedule.target[0].input).Input).run.archived), "-") } == {
      lake-cold   = jsonencode({ restore = { days = 7, limit_hours = 72, tier = "STANDARD" } })
      lake-events = "-"
      lake-orders = jsonencode("skip")
    }
    error_message = "Runs are not told what to do about archived objects."
  }
}
