// Whether Terraform deploys what Levee means: the state machines, what lets restores in, what the schedules start, and the list
// of what is denied.

import { execFileSync } from "node:child_process";
import { isDeepStrictEqual } from "node:util";

import { REMOVING } from "./forbidden.mjs";

// What differs, in sentences.
export function deployment(plan, record) {
  return [...definitions(plan, record), ...targets(plan, record), ...schedules(plan, record), ...denyLists(plan, record)];
}

function* definitions(plan, record) {
  for (const [name, text] of record.definitions) {
    if (plan.definitions.get(name) !== text) yield `the definition of the state machine ${name} in the plan is not what levee::deploy renders`;
  }
  if (!["levee-backup", "levee-restore", "levee-drill"].every((name) => record.definitions.has(name))) yield `the record has the state machines ${[...record.definitions.keys()].join(", ")}`;
  if (plan.definitions.size !== 3) yield `the plan has the state machines ${[...plan.definitions.keys()].join(", ")}`;
}

// The statements of a target are those of `levee::deploy::source_bucket_policy`, whose Sids begin without the name.
function* targets(plan, record) {
  const plain = ({ Sid, Principal, Action, Resource, ...rest }) => ({
    ...rest,
    Sid: Sid.replace(/^Levee/, ""),
    Principal: [Principal.AWS].flat(),
    Action: [Action].flat().toSorted(),
    Resource: [Resource].flat(),
  });
  if (record.targets.size !== 1) yield `the record has the targets ${[...record.targets.keys()].join(", ")}`;
  for (const [bucket, statements] of record.targets) {
    const planned = plan.resource.get(`arn:aws:s3:::${bucket}`).Statement.filter(({ Sid }) => Sid.startsWith("LeveeRestore"));
    if (!isDeepStrictEqual(planned.map(plain), statements.map(plain))) yield `the bucket ${bucket} lets restores in by other statements than levee::deploy renders: ${JSON.stringify(planned)}`;
  }
}

// Sources with their defaults have the input that `Plan::scheduled_input` makes, and what any schedule starts is a `Run`.
function* schedules(plan, record) {
  const [nights, drills] = [false, true].map((wanted) => plan.schedules.filter(({ start }) => start.StateMachineArn.endsWith(":levee-drill") === wanted));
  if (nights.length !== record.runs.size || drills.length !== record.runs.size) yield `the plan has ${nights.length} schedules and ${drills.length} of drills for ${record.runs.size} sources`;
  const scratch = { name: "levee-scratch", account: "222222222222", region: "us-east-1" };
  for (const { name, start } of drills) {
    const { source, ...drill } = JSON.parse(start.Input).drill;
    if (!record.runs.has(source)) yield `the schedule ${name} starts a drill of ${source}, which is no source`;
    if (!isDeepStrictEqual(drill, { scratch, tables: 3 })) yield `the schedule ${name} starts the drill ${JSON.stringify(drill)}`;
    if (start.Name !== `${source}-<aws.scheduler.execution-id>`) yield `the schedule ${name} names its executions ${start.Name}`;
  }
  for (const { name, start } of nights) {
    const line = JSON.parse(execFileSync(process.env.LEVEE_CALLS, ["run"], { input: start.Input, encoding: "utf8" }));
    const { snapshot, archived, ...run } = line.run;
    const expected = record.runs.get(run.source);
    if (!expected) {
      yield `the schedule ${name} starts a run of ${run.source}, which is no source`;
      continue;
    }
    const { snapshot: byDefault, archived: left, ...rest } = expected;
    if (!isDeepStrictEqual(run, rest)) yield `the schedule ${name} starts ${JSON.stringify(run)} and not ${JSON.stringify(rest)}`;
    if (run.source === "lake-events" && !isDeepStrictEqual(snapshot, byDefault)) yield `the schedule ${name} asks for the snapshot ${JSON.stringify(snapshot)}`;
    if (run.source === "lake-events" && !isDeepStrictEqual(archived, left)) yield `the schedule ${name} asks for archived objects ${JSON.stringify(archived)}`;
    if (run.source === "lake-payments" && archived?.restore?.tier !== "STANDARD") yield `the schedule ${name} does not ask for archived objects to be restored`;
    if (run.source === "lake-payments" && snapshot.object_lock?.days !== 30) yield `the schedule ${name} does not ask for Object Lock`;
    if (start.Name !== `${run.source}-<aws.scheduler.execution-id>`) yield `the schedule ${name} names its executions ${start.Name}`;
  }
}

// The worker's policy and Terraform's deny the same with the same exceptions.
function* denyLists(plan, record) {
  const sorted = (statement) => ({
    ...statement,
    Action: [statement.Action].flat().toSorted(),
    Resource: [statement.Resource].flat().map((arn) => arn.replace(/^arn:aws:s3:::[^/]+/, "BUCKET")).toSorted(),
  });
  const denies = (policy) => policy.Statement.filter((statement) => statement.Effect === "Deny").map(sorted);
  const [model] = record.snapshotPolicies.values();
  const wanted = denies(model);
  if (wanted.length !== 2) yield `a snapshot bucket has ${wanted.length} Deny statements`;
  if (!isDeepStrictEqual(wanted[0]?.Action, REMOVING.toSorted())) yield "the worker denies other actions than the list of forbidden calls has";
  const walled = [...record.snapshotPolicies.entries(), ...["manifests", "reports", "ledger", "canary"].map((what) => [what, plan.resource.get(`arn:aws:s3:::levee-${what}`)])];
  for (const [bucket, policy] of walled) {
    if (!isDeepStrictEqual(denies(policy), wanted)) yield `the bucket ${bucket} is not protected as snapshots are: ${JSON.stringify(denies(policy))}`;
  }
}
