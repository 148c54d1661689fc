// Whether this test can fail: flaws that it must notice.

import { controls } from "./controls.mjs";
import { deployment } from "./deployment.mjs";
import { survivors } from "./lib/mutate.mjs";

const ROLE = "arn:aws:iam::222222222222:role/levee-worker-job-poll";
const LEDGER = "arn:aws:s3:::levee-ledger";
const TARGET = "arn:aws:s3:::lake-events";

// What goes unnoticed, and how many flaws there were. `needed` are asks that are allowed, `stopped` those that are denied.
export async function selfCheck({ plan, record, world, needed, stopped, about }) {
  const add = (kind, whose, statement) => {
    const document = world[kind].get(whose);
    return world.with(kind, whose, { ...document, Statement: [...document.Statement, statement] });
  };
  const changed = async (flawed, asks, expected) => {
    for (const ask of asks) {
      if ((await flawed.allows(ask)) !== expected) return true;
    }
    return false;
  };
  const idle = async (effect, kind, whose, statement, asks) => {
    const flawed = add(kind, whose, statement);
    const found = await survivors(flawed, effect, about(asks), [[kind, whose, flawed[kind].get(whose)]]);
    return found.survivors.some((what) => what.endsWith(`: ${statement.Sid}`));
  };
  const own = (asks) => asks.filter((ask) => ask.principal === ROLE);
  const inLedger = (asks) => asks.filter((ask) => ask.resource.startsWith(LEDGER));
  const everything = { Sid: "Everything", Effect: "Allow", Action: "*", Resource: "*" };
  const nothing = { Sid: "Nothing", Effect: "Deny", Action: "*", Resource: "*" };
  const weakened = (policy) => ({ ...policy, Statement: policy.Statement.filter((statement) => statement.Effect !== "Deny") });
  const without = (policy, sid) => ({ ...policy, Statement: policy.Statement.filter((statement) => statement.Sid !== sid) });
  const differs = (changes) => deployment({ ...plan, ...changes }, record).length > 0;
  const drilling = ({ start }) => start.StateMachineArn.endsWith(":levee-drill");
  const [schedule, ...schedules] = plan.schedules.toSorted((one, other) => drilling(one) - drilling(other));
  const later = { ...schedule, start: { ...schedule.start, Input: schedule.start.Input.replace('"settle_days":2', '"settle_days":3') } };
  const flaws = [
    ...["levee-backup", "levee-restore", "levee-drill"].map((name) => [
      `another state machine ${name}`,
      differs({ definitions: new Map(plan.definitions).set(name, `${plan.definitions.get(name)} `) }),
    ]),
    ["a schedule for another day", differs({ schedules: [later, ...schedules] })],
    ["a drill into another bucket", differs({ schedules: plan.schedules.map((one) => (drilling(one) ? { ...one, start: { ...one.start, Input: one.start.Input.replace("levee-scratch", "levee-ledger") } } : one)) })],
    ["a bucket without the wall", differs({ resource: new Map(plan.resource).set(LEDGER, weakened(plan.resource.get(LEDGER))) })],
    ["a target that restores cannot write to", differs({ resource: new Map(plan.resource).set(TARGET, without(plan.resource.get(TARGET), "LeveeRestoreBatchWrites")) })],
    ["a simulator that says yes to everything", (await controls(async () => true)).failed.length > 0],
    ["a simulator that says no to everything", (await controls(async () => false)).failed.length > 0],
    ["a role that may do everything", await changed(add("identity", ROLE, everything), own(stopped), false)],
    ["a role that may do nothing", await changed(add("identity", ROLE, nothing), own(needed), true)],
    ["a role without a policy", await changed(world.with("identity", ROLE, { Version: "2012-10-17", Statement: [] }), own(needed), true)],
    ["a bucket whose policy denies nothing", await changed(world.with("resource", LEDGER, { Version: "2012-10-17", Statement: [] }), inLedger(stopped), false)],
    ["a bucket that is open to all", await changed(add("resource", LEDGER, { ...everything, Principal: "*", Resource: `${LEDGER}/*`, Action: "s3:GetObject" }), inLedger(stopped), false)],
    ["an Allow that nobody needs", await idle("Allow", "identity", ROLE, { Sid: "Idle", Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::idle/*" }, needed)],
    ["a Deny that stops nothing", await idle("Deny", "resource", LEDGER, { Sid: "Idle", Effect: "Deny", Principal: "*", Action: "s3:PutBucketTagging", Resource: LEDGER }, stopped)],
  ];
  return { count: flaws.length, failed: flaws.filter(([, noticed]) => !noticed).map(([what]) => what) };
}
