# The roles. What each may do is in iam_workers.tf, iam_copy.tf, iam_restore.tf, iam_drill.tf and iam_services.tf; every statement has one purpose, which
# its Sid names, and every policy is built from names alone, so that a plan shows it in full.

locals {
  roles = merge(
    { for group, role in local.worker_roles : "worker-${group}" => role },
    {
      batch-copy    = local.copy_role
      state-machine = local.state_machine_role
      scheduler     = local.scheduler_role
    },
    { for name, role in { batch-restore = local.restore_role } : name => role if var.restores != null },
    { for name, role in { batch-drill = local.drill_role } : name => role if local.drilling },
    { for name, role in { task-execution = local.execution_role } : name => role if var.ecs != null },
    { for name, role in { doctor = local.doctor_role } : name => role if length(var.operator_arns) > 0 },
  )
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name               = "${var.name}-${each.key}"
  description        = each.value.description
  assume_role_policy = each.value.trust
  tags               = local.tags
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles

  name   = "levee"
  role   = aws_iam_role.this[each.key].name
  policy = each.value.policy

  lifecycle {
    precondition {
      # IAM counts a role's inline policies without white space, which jsonencode writes none of.
      condition     = length(each.value.policy) <= 10240
      error_message = "The policy of ${var.name}-${each.key} has more than the 10,240 characters that IAM allows: split its group, or the sources over two deployments with two names."
    }
  }
}
