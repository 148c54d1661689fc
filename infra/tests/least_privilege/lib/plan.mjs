// What the plan of Terraform says: the policies by whom and what they are for, and the few settings that are checked.

import { readFileSync } from "node:fs";

// Resources that are called policies and say nothing about who may do what.
const NO_ACCESS_POLICIES = new Set(["aws_appautoscaling_policy", "aws_sqs_queue_redrive_allow_policy"]);

// Of a statement that no module renders.
export const NOT_OURS = "NotOurs";

const read = {
  aws_iam_role(world, { values }) {
    world.trust.set(arnOfRole(values.name), JSON.parse(values.assume_role_policy));
    if (values.managed_policy_arns?.length || values.inline_policy?.length || values.permissions_boundary) {
      throw new Error(`${values.name} has policies that are not read here`);
    }
  },
  aws_iam_role_policy(world, { address, values }) {
    const arn = arnOfRole(known(values.role, `${address}.role`));
    if (world.identity.has(arn)) throw new Error(`${arn} has two policies`);
    world.identity.set(arn, JSON.parse(known(values.policy, `${address}.policy`)));
  },
  aws_s3_bucket_policy(world, { address, values }) {
    const bucket = known(values.bucket, `${address}.bucket`);
    world.resource.set(`arn:aws:s3:::${bucket}`, JSON.parse(known(values.policy, `${address}.policy`)));
  },
  aws_sqs_queue_policy: (world, resource) => byOwnResource(world, resource, "policy"),
  aws_sns_topic_policy: (world, resource) => byOwnResource(world, resource, "policy"),
  aws_cloudwatch_log_resource_policy: (world, resource) => byOwnResource(world, resource, "policy_document"),
  // A grant is an Allow statement of the key for one principal.
  aws_kms_grant(world, { values }) {
    const policy = world.resource.get(values.key_id) ?? keyPolicy(values.key_id);
    policy.Statement.push({
      Sid: `Grant ${values.name} to ${values.grantee_principal}`,
      Effect: "Allow",
      Principal: { AWS: values.grantee_principal },
      Action: values.operations.map((operation) => `kms:${operation}`),
      Resource: "*",
    });
    world.resource.set(values.key_id, policy);
  },
  aws_sfn_state_machine(world, { values }) {
    world.definitions.set(values.name, values.definition);
  },
  aws_scheduler_schedule(world, { values }) {
    world.schedules.push({ name: values.name, start: JSON.parse(values.target[0].input) });
  },
};

export function readPlan(file) {
  const world = { trust: new Map(), identity: new Map(), resource: new Map(), schedules: [], definitions: new Map() };
  for (const resource of resourcesOf(JSON.parse(readFileSync(file, "utf8")).planned_values.root_module)) {
    const reader = read[resource.type];
    if (reader) {
      reader(world, resource);
    } else if (/polic/.test(resource.type) && !NO_ACCESS_POLICIES.has(resource.type)) {
      throw new Error(`${resource.address} may be a policy that is not read here`);
    }
  }
  return world;
}

// The policy of a key that was made without one: its account's identity policies decide.
export function keyPolicy(key) {
  const account = key.split(":")[4];
  return {
    Version: "2012-10-17",
    Statement: [{ Sid: NOT_OURS, Effect: "Allow", Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: "kms:*", Resource: "*" }],
  };
}

// The ARNs of queues and topics are known after they are made; their policies name them.
function byOwnResource(world, { address, values }, member) {
  const policy = JSON.parse(known(values[member], `${address}.${member}`));
  const named = new Set(policy.Statement.flatMap((statement) => statement.Resource));
  if (named.size !== 1) throw new Error(`${address} is about ${[...named]} and not about one resource`);
  world.resource.set([...named][0].replace(/:\*$/, ""), policy);
}

function* resourcesOf(module) {
  yield* module.resources ?? [];
  for (const child of module.child_modules ?? []) yield* resourcesOf(child);
}

function known(value, where) {
  if (typeof value !== "string") throw new Error(`${where} is not known when it is planned`);
  return value;
}

const arnOfRole = (name) => `arn:aws:iam::222222222222:role/${name}`;
