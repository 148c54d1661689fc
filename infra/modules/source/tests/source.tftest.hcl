# What the module adds to a bucket of the warehouse: statements, the inventory, grants.

mock_provider "aws" {}

variables {
  bucket            = "lake-events"
  backup_account_id = "222222222222"
  backup = {
    manifest_bucket  = "levee-manifests-222222222222-us-east-1"
    inventory_prefix = "inventory"
    copy_role_arn    = "arn:aws:iam::222222222222:role/levee-batch-copy"
    reader_role_arns = ["arn:aws:iam::222222222222:role/levee-worker-report-parse", "arn:aws:iam::222222222222:role/levee-doctor"]

    copying_role_arns    = ["arn:aws:iam::222222222222:role/levee-worker-large-copy"]
    decrypting_role_arns = ["arn:aws:iam::222222222222:role/levee-doctor"]
  }
  existing_bucket_policy = ""
}

run "copy_role_and_readers_read_and_nobody_else_does_anything" {
  command = plan

  assert {
    condition     = aws_s3_bucket_policy.this[0].bucket == "lake-events" && aws_s3_bucket_policy.this[0].policy == output.bucket_policy_json
    error_message = "The policy is on another bucket."
  }

  assert {
    condition = jsondecode(output.bucket_policy_json) == { Version = "2012-10-17", Statement = [
      {
        Sid       = "LeveeBatchCopyReads"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::222222222222:role/levee-batch-copy" }
        Action    = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"]
        Resource  = "arn:aws:s3:::lake-events/*"
      },
      {
        Sid       = "LeveeBatchCopyLists"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::222222222222:role/levee-batch-copy" }
        Action    = "s3:ListBucket"
        Resource  = "arn:aws:s3:::lake-events"
      },
      {
        Sid       = "LeveeReadersRead"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::222222222222:role/levee-worker-report-parse", "arn:aws:iam::222222222222:role/levee-doctor"] }
        Action    = "s3:GetObject"
        Resource  = "arn:aws:s3:::lake-events/*"
      },
      {
        Sid       = "LeveeReadersList"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::222222222222:role/levee-worker-report-parse", "arn:aws:iam::222222222222:role/levee-doctor"] }
        Action    = "s3:ListBucket"
        Resource  = "arn:aws:s3:::lake-events"
      },
      {
        Sid       = "LeveeCopyingReads"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::222222222222:role/levee-worker-large-copy"] }
        Action    = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"]
        Resource  = "arn:aws:s3:::lake-events/*"
      },
      {
        Sid       = "LeveeCopyingLists"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::222222222222:role/levee-worker-large-copy"] }
        Action    = "s3:ListBucket"
        Resource  = "arn:aws:s3:::lake-events"
      },
    ] }
    error_message = "Who may read the bucket."
  }
}

run "without_readers_the_copy_role_reads_alone" {
  command = plan
  variables {
    backup = {
      manifest_bucket  = "m"
      inventory_prefix = ""
      copy_role_arn    = "arn:aws:iam::222222222222:role/levee-batch-copy"
      reader_role_arns = []
    }
  }

  assert {
    condition     = [for s in jsondecode(output.bucket_policy_json).Statement : s.Sid] == ["LeveeBatchCopyReads", "LeveeBatchCopyLists"]
    error_message = "There is a statement for nobody."
  }

  assert {
    condition     = aws_s3_bucket_inventory.this[0].destination[0].bucket[0].prefix == null
    error_message = "An empty prefix is set."
  }
}

run "statements_of_others_stay_and_levees_are_not_doubled" {
  command = plan
  variables {
    existing_bucket_policy = jsonencode({ Version = "2008-10-17", Id = "theirs", Statement = [
      { Sid = "Auditors", Effect = "Allow", Principal = { AWS = "arn:aws:iam::444444444444:root" }, Action = "s3:GetObject", Resource = "arn:aws:s3:::lake-events/*" },
      { Effect = "Deny", Principal = "*", Action = "s3:*", Resource = "arn:aws:s3:::lake-events/*", Condition = { Bool = { "aws:SecureTransport" = "false" } } },
      { Sid = "LeveeBatchCopyReads", Effect = "Allow", Principal = { AWS = "arn:aws:iam::222222222222:role/of-yesterday" }, Action = "s3:GetObject", Resource = "arn:aws:s3:::lake-events/*" },
    ] })
  }

  assert {
    condition     = [for s in jsondecode(output.bucket_policy_json).Statement : lookup(s, "Sid", s.Effect)] == ["Auditors", "Deny", "LeveeBatchCopyReads", "LeveeBatchCopyLists", "LeveeReadersRead", "LeveeReadersList", "LeveeCopyingReads", "LeveeCopyingLists"]
    error_message = "The statements of the merged policy."
  }

  assert {
    condition     = jsondecode(output.bucket_policy_json).Id == "theirs" && jsondecode(output.bucket_policy_json).Version == "2008-10-17" && !strcontains(output.bucket_policy_json, "of-yesterday")
    error_message = "The existing policy was changed, or an old statement of Levee's stays."
  }
}

run "one_statement_need_not_be_a_list" {
  command = plan
  variables {
    existing_bucket_policy = jsonencode({ Version = "2012-10-17", Statement = { Sid = "Auditors", Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "arn:aws:s3:::lake-events/public/*" } })
  }

  assert {
    condition     = jsondecode(output.bucket_policy_json).Statement[0].Sid == "Auditors" && length(jsondecode(output.bucket_policy_json).Statement) == 7
    error_message = "The one statement is lost."
  }
}

run "a_policy_of_somebody_else_is_left_alone" {
  command = plan
  variables {
    existing_bucket_policy = null
  }

  assert {
    condition     = length(aws_s3_bucket_policy.this) == 0 && length(jsondecode(output.bucket_policy_json).Statement) == 6
    error_message = "The module takes a policy that is not its own, or does not say what belongs in it."
  }
}

run "inventory_is_daily_in_csv_of_current_versions_and_to_the_backup_account" {
  command = plan

  assert {
    condition = (
      aws_s3_bucket_inventory.this[0].bucket == "lake-events"
      && aws_s3_bucket_inventory.this[0].name == "levee-daily"
      && aws_s3_bucket_inventory.this[0].enabled
      && aws_s3_bucket_inventory.this[0].included_object_versions == "Current"
      && aws_s3_bucket_inventory.this[0].schedule[0].frequency == "Daily"
      && length(aws_s3_bucket_inventory.this[0].filter) == 0
      && aws_s3_bucket_inventory.this[0].destination[0].bucket[0].account_id == "222222222222"
      && aws_s3_bucket_inventory.this[0].destination[0].bucket[0].bucket_arn == "arn:aws:s3:::levee-manifests-222222222222-us-east-1"
      && aws_s3_bucket_inventory.this[0].destination[0].bucket[0].prefix == "inventory"
      && aws_s3_bucket_inventory.this[0].destination[0].bucket[0].format == "CSV"
      && length(aws_s3_bucket_inventory.this[0].destination[0].bucket[0].encryption[0].sse_s3) == 1
    )
    error_message = "The inventory configuration."
  }

  assert {
    condition     = aws_s3_bucket_inventory.this[0].optional_fields == toset(["Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "EncryptionStatus", "IntelligentTieringAccessTier", "ChecksumAlgorithm"])
    error_message = "The columns of the inventory."
  }
}

run "inventory_may_be_under_a_key_or_left_to_somebody_else" {
  command = plan
  variables {
    inventory_kms_key_arn = "arn:aws:kms:us-east-1:222222222222:key/own"
  }

  assert {
    condition     = aws_s3_bucket_inventory.this[0].destination[0].bucket[0].encryption[0].sse_kms[0].key_id == "arn:aws:kms:us-east-1:222222222222:key/own" && length(aws_s3_bucket_inventory.this[0].destination[0].bucket[0].encryption[0].sse_s3) == 0
    error_message = "The encryption of the inventory."
  }
}

run "no_inventory_where_it_is_not_wanted" {
  command = plan
  variables {
    create_inventory = false
  }

  assert {
    condition     = length(aws_s3_bucket_inventory.this) == 0
    error_message = "There is an inventory."
  }
}

run "roles_that_read_bytes_may_decrypt_with_every_key_and_nothing_more" {
  command = plan
  variables {
    kms_key_arns = ["arn:aws:kms:us-east-1:111111111111:key/a", "arn:aws:kms:us-east-1:111111111111:key/b"]
  }

  assert {
    condition = toset([for grant in aws_kms_grant.this : "${grant.grantee_principal} ${grant.key_id}"]) == toset([
      "arn:aws:iam::222222222222:role/levee-batch-copy arn:aws:kms:us-east-1:111111111111:key/a",
      "arn:aws:iam::222222222222:role/levee-batch-copy arn:aws:kms:us-east-1:111111111111:key/b",
      "arn:aws:iam::222222222222:role/levee-doctor arn:aws:kms:us-east-1:111111111111:key/a",
      "arn:aws:iam::222222222222:role/levee-doctor arn:aws:kms:us-east-1:111111111111:key/b",
    ]) && alltrue([for grant in aws_kms_grant.this : grant.operations == toset(["Decrypt"])])
    error_message = "The grants."
  }
}

run "refused_a_policy_that_is_none" {
  command = plan
  variables {
    existing_bucket_policy = "{}"
  }
  expect_failures = [var.existing_bucket_policy]
}

run "refused_an_account_that_is_none" {
  command = plan
  variables {
    backup_account_id = "backup"
  }
  expect_failures = [var.backup_account_id]
}

run "refused_a_policy_that_would_be_too_long" {
  command = plan
  variables {
    existing_bucket_policy = jsonencode({ Version = "2012-10-17", Statement = [for number in range(200) : { Sid = "Statement${number}", Effect = "Deny", Principal = "*", Action = "s3:DeleteObject", Resource = "arn:aws:s3:::lake-events/${number}/*" }] })
  }
  expect_failures = [aws_s3_bucket_policy.this]
}

run "restores_write_what_they_need_to_and_only_into_their_targets" {
  command = plan

  variables {
    backup = {
      manifest_bucket   = "levee-manifests-222222222222-us-east-1"
      inventory_prefix  = "inventory"
      copy_role_arn     = "arn:aws:iam::222222222222:role/levee-batch-copy"
      reader_role_arns  = []
      copying_role_arns = ["arn:aws:iam::222222222222:role/levee-worker-large-copy", "arn:aws:iam::222222222222:role/levee-worker-table-verify"]

      decrypting_role_arns = ["arn:aws:iam::222222222222:role/levee-worker-large-copy", "arn:aws:iam::222222222222:role/levee-worker-table-verify"]
      restore = {
        targets             = ["lake-events"]
        batch_role_arn      = "arn:aws:iam::222222222222:role/levee-batch-restore"
        writing_role_arns   = ["arn:aws:iam::222222222222:role/levee-worker-large-copy"]
        verifying_role_arns = ["arn:aws:iam::222222222222:role/levee-worker-table-verify"]
        reading_role_arns   = ["arn:aws:iam::222222222222:role/levee-worker-restore-plan"]
      }
    }
    kms_key_arns = ["arn:aws:kms:us-east-1:111111111111:key/a"]
  }

  assert {
    condition = [for s in jsondecode(output.bucket_policy_json).Statement : s if startswith(s.Sid, "LeveeRestore")] == [
      {
        Sid       = "LeveeRestoreBatchWrites"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::222222222222:role/levee-batch-restore" }
        Action    = ["s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"]
        Resource  = "arn:aws:s3:::lake-events/*"
      },
      {
        Sid       = "LeveeRestoreLargeWrites"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::222222222222:role/levee-worker-large-copy"] }
        Action    = ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        Resource  = "arn:aws:s3:::lake-events/*"
      },
      {
        Sid       = "LeveeRestoreLargeFindsUploads"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::222222222222:role/levee-worker-large-copy"] }
        Action    = "s3:ListBucketMultipartUploads"
        Resource  = "arn:aws:s3:::lake-events"
      },
      {
        Sid       = "LeveeRestoreVerifyWritesLogs"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::222222222222:role/levee-worker-table-verify"] }
        Action    = "s3:PutObject"
        Resource  = "arn:aws:s3:::lake-events/*_delta_log/*"
      },
      {
        Sid       = "LeveeRestorePlanReads"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::222222222222:role/levee-worker-restore-plan"] }
        Action    = "s3:GetObject"
        Resource  = "arn:aws:s3:::lake-events/*"
      },
      {
        Sid       = "LeveeRestorePlanLists"
        Effect    = "Allow"
        Principal = { AWS = ["arn:aws:iam::222222222222:role/levee-worker-restore-plan"] }
        Action    = "s3:ListBucket"
        Resource  = "arn:aws:s3:::lake-events"
      },
    ]
    error_message = "Who may do what in a target of restores."
  }

  assert {
    condition     = [for s in jsondecode(output.bucket_policy_json).Statement : s.Sid if !startswith(s.Sid, "LeveeRestore")] == ["LeveeBatchCopyReads", "LeveeBatchCopyLists", "LeveeCopyingReads", "LeveeCopyingLists"]
    error_message = "The statements of nights have changed, or those on which restores rely are not there."
  }

  assert {
    condition = { for grant in aws_kms_grant.restore : grant.grantee_principal => join(" ", concat(sort(grant.operations), ["with", grant.key_id])) } == {
      "arn:aws:iam::222222222222:role/levee-batch-restore"       = "Decrypt GenerateDataKey with arn:aws:kms:us-east-1:111111111111:key/a"
      "arn:aws:iam::222222222222:role/levee-worker-large-copy"   = "GenerateDataKey with arn:aws:kms:us-east-1:111111111111:key/a"
      "arn:aws:iam::222222222222:role/levee-worker-restore-plan" = "Decrypt with arn:aws:kms:us-east-1:111111111111:key/a"
      "arn:aws:iam::222222222222:role/levee-worker-table-verify" = "GenerateDataKey with arn:aws:kms:us-east-1:111111111111:key/a"
    }
    error_message = "The grants of a target of restores."
  }
}

run "a_bucket_that_is_no_target_is_written_by_nobody_and_loses_the_statements_of_a_restore_that_is_over" {
  command = plan

  variables {
    backup = {
      manifest_bucket   = "levee-manifests-222222222222-us-east-1"
      inventory_prefix  = "inventory"
      copy_role_arn     = "arn:aws:iam::222222222222:role/levee-batch-copy"
      reader_role_arns  = ["arn:aws:iam::222222222222:role/levee-worker-report-parse"]
      copying_role_arns = ["arn:aws:iam::222222222222:role/levee-worker-large-copy"]
      restored_buckets  = ["lake-events"]
      restore = {
        targets             = ["lake-events-2"]
        batch_role_arn      = "arn:aws:iam::222222222222:role/levee-batch-restore"
        writing_role_arns   = ["arn:aws:iam::222222222222:role/levee-worker-large-copy"]
        verifying_role_arns = ["arn:aws:iam::222222222222:role/levee-worker-table-verify"]
        reading_role_arns   = ["arn:aws:iam::222222222222:role/levee-worker-restore-plan"]
      }
    }
    kms_key_arns = ["arn:aws:kms:us-east-1:111111111111:key/a"]
    existing_bucket_policy = jsonencode({ Version = "2012-10-17", Statement = [for sid in [
      "LeveeRestoreBatchWrites", "LeveeRestoreLargeWrites", "LeveeRestoreLargeFindsUploads", "LeveeRestoreVerifyWritesLogs", "LeveeRestorePlanReads", "LeveeRestorePlanLists",
    ] : { Sid = sid, Effect = "Allow", Principal = { AWS = "arn:aws:iam::222222222222:role/of-yesterday" }, Action = "s3:PutObject", Resource = "arn:aws:s3:::lake-events/*" }] })
  }

  assert {
    condition     = alltrue(flatten([for s in jsondecode(output.bucket_policy_json).Statement : [for action in flatten([s.Action]) : startswith(action, "s3:Get") || contains(["s3:ListBucket", "s3:RestoreObject"], action)]]))
    error_message = "Somebody has more than reading to do in a source."
  }

  assert {
    condition     = !strcontains(output.bucket_policy_json, "LeveeRestore") && !strcontains(output.bucket_policy_json, "of-yesterday") && length(jsondecode(output.bucket_policy_json).Statement) == 7 && length(aws_kms_grant.restore) == 0
    error_message = "Something of restores is left."
  }
}

run "archived_objects_may_be_restored_where_the_backup_asks_for_it" {
  command = plan

  variables {
    backup = {
      manifest_bucket  = "levee-manifests-222222222222-us-east-1"
      inventory_prefix = "inventory"
      copy_role_arn    = "arn:aws:iam::222222222222:role/levee-batch-copy"
      reader_role_arns = []
      restored_buckets = ["lake-events"]
    }
  }

  assert {
    condition     = [for s in jsondecode(output.bucket_policy_json).Statement : "${s.Action} on ${s.Resource} by ${s.Principal.AWS}" if s.Sid == "LeveeBatchRestores"] == ["s3:RestoreObject on arn:aws:s3:::lake-events/* by arn:aws:iam::222222222222:role/levee-batch-copy"]
    error_message = "The copy role may not restore objects."
  }
}
