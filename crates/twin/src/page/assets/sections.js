// The sections of the page, each made of its part of the state.

const STATUS = {
  RUNNING: ["running", "busy", "running"],
  SUCCEEDED: ["succeeded", "good", "succeeded"],
  FAILED: ["failed", "bad", "failed"],
  TIMED_OUT: ["failed", "bad", "timed out"],
  ABORTED: ["failed", "bad", "aborted"],
};

function summary(runs) {
  const parts = [];
  if (runs.failed > 0) parts.push(el("span", { class: "bad" }, `${plural(runs.failed, "run")} failed`));
  if (runs.running > 0) parts.push(el("span", { class: "busy" }, `${runs.running} running`));
  if (runs.succeeded > 0) parts.push(el("span", { class: "good" }, `${runs.succeeded} succeeded`));
  if (parts.length === 0) return "No run yet";
  return parts.flatMap((part, index) => (index > 0 ? [el("span", { class: "quiet" }, " · "), part] : [part]));
}

function runList({ executions, chosen }) {
  const picks = executions.items.map((run) => {
    const [kind, colour, word] = STATUS[run.status] ?? ["", "", run.status];
    const now = run.status === "RUNNING" ? run.at.join(", ") : run.error;
    return el("button", {
      class: `pick ${kind}`, type: "button", "data-key": run.arn, "aria-current": run.arn === chosen,
      onclick: () => choose(run.arn),
    },
      el("strong", null, run.name),
      el("span", { class: "state" }, el("span", { class: colour }, word), el("span", { class: "quiet time" }, when(run.started))),
      now ? el("span", { class: "quiet mono" }, now) : null);
  });
  if (picks.length === 0) picks.push(el("p", { class: "quiet" }, "Executions of state machines appear here."));
  return [...picks, cut(executions)];
}

function run(execution) {
  if (!execution) return el("p", { class: "quiet" }, "Nothing to show yet.");
  const [, colour, word] = STATUS[execution.status] ?? ["", "", execution.status];
  const end = execution.stopped ?? execution.time;
  const failed = execution.status !== "RUNNING" && execution.status !== "SUCCEEDED";
  const at = execution.at.length > 0 ? `${failed ? "ended in" : "now in"} ${execution.at.join(", ")}` : null;
  const facts = [
    `started ${when(execution.started)}`,
    execution.stopped ? `ended ${when(execution.stopped)} after ${duration(execution.started, end)}` : `for ${duration(execution.started, end)}`,
    execution.redrives > 0 ? `redriven ${execution.redrives}×` : null,
    at,
  ];
  return [
    el("div", { class: "title" }, el("h2", null, execution.name), el("span", { class: `tag ${colour}` }, word)),
    el("p", { class: "quiet" }, `${execution.state_machine}, account ${execution.account} · ${facts.filter(Boolean).join(" · ")}`),
    el("div", { class: "way" },
      el("div", { class: "picture" }, picture(execution)),
      failed ? el("div", { class: "why" }, el("strong", null, execution.error ?? word), el("p", null, execution.cause ?? "No cause was given.")) : null,
      timeline(execution.history)),
  ].filter((part) => part !== null);
}

function timeline({ total, items }) {
  const rows = [...items].reverse().map((event) => el("tr", null,
    el("td", { class: "number quiet" }, event.id),
    el("td", { class: "time quiet" }, when(event.time).slice(11)),
    el("td", null, event.state ?? ""),
    el("td", { class: event.error || /Failed|TimedOut|Aborted/.test(event.kind) ? "bad" : null }, event.kind,
      event.error ? el("div", { class: "mono" }, event.error) : null)));
  return el("div", { class: "log", "data-scroll": "history" },
    el("h3", null, "History ", el("span", { class: "quiet" }, `${plural(total, "event")}, latest first`)),
    el("table", null, el("tbody", null, rows)),
    cut({ total, items }));
}

/** A section: a heading with a count, and a table. Columns are [heading, cell of an item, class]. */
function section(title, list, columns, empty) {
  const heading = el("h2", null, `${title} `, el("span", { class: "quiet" }, number(list.total)));
  if (list.items.length === 0) return [heading, el("p", { class: "quiet" }, empty)];
  const head = el("thead", null, el("tr", null, columns.map(([name, , kind]) => el("th", { class: kind }, name))));
  const rows = list.items.map((item) => el("tr", null,
    columns.map(([name, cell, kind]) => el("td", { class: kind, "data-label": name }, cell(item)))));
  return [heading, el("div", { class: "list", "data-scroll": title }, el("table", null, head, el("tbody", null, rows))), cut(list)];
}

function cut({ total, items }) {
  return total > items.length ? el("p", { class: "quiet" }, `${number(items.length)} of ${number(total)} are shown.`) : null;
}

const JOB_COLOURS = { Complete: "good", Failed: "bad", Failing: "bad", Cancelled: "warn", Cancelling: "warn", Suspended: "warn", Paused: "warn", Pausing: "warn" };

function jobs(list) {
  return section("Batch jobs", list, [
    ["Job", (job) => [el("span", { class: `tag ${job.failed > 0 && job.ended ? "bad" : JOB_COLOURS[job.status] ?? "busy"}` }, job.status), el("div", { class: "mono" }, job.target_bucket || job.operation), el("div", { class: "quiet mono" }, job.id)], "wide"],
    ["Progress", progress, "wide"],
    ["Created", (job) => when(job.created), "time"],
  ], "No job has been made.");
}

function progress(job) {
  const told = job.total === null ? "the manifest has not been read" :
    `${number(job.succeeded)} of ${number(job.total)} copied${job.failed > 0 ? `, ${number(job.failed)} failed` : ""}`;
  const part = (count, kind) => {
    const bar = el("i", { class: kind });
    bar.style.width = `${job.total > 0 ? (100 * count) / job.total : 0}%`;
    return bar;
  };
  return [
    el("span", { class: job.failed > 0 ? "bad" : null }, told),
    el("div", { class: "bar", role: "progressbar", "aria-valuenow": job.succeeded + job.failed, "aria-valuemax": job.total ?? 0 }, part(job.succeeded, null), part(job.failed, "bad")),
    ...job.failures.map((failure) => el("div", { class: "bad" }, `${failure.code}: ${failure.reason}`)),
  ];
}

function queues(list) {
  const dead = (queue) => queue.is_dead_letter_queue && queue.visible + queue.in_flight + queue.delayed > 0;
  return section("Queues", list, [
    ["Queue", (queue) => [el("span", { class: dead(queue) ? "bad" : null }, queue.name), queue.is_dead_letter_queue ? el("span", { class: "quiet" }, " dead letters") : null]],
    ["Visible", (queue) => el("span", { class: dead(queue) ? "bad" : null }, number(queue.visible)), "number"],
    ["In flight", (queue) => number(queue.in_flight), "number"],
    ["Delayed", (queue) => number(queue.delayed), "number"],
  ], "No queue has been made.");
}

function buckets(list) {
  return section("Buckets", list, [
    ["Bucket", (bucket) => bucket.name],
    ["Account", (bucket) => bucket.account, "time"],
    ["Objects", (bucket) => number(bucket.objects), "number"],
    ["Bytes", (bucket) => size(bucket.bytes), "number"],
    ["Older versions", (bucket) => number(bucket.older_versions), "number"],
    ["Versioning", (bucket) => bucket.versioning],
    ["Object Lock", (bucket) => (bucket.object_lock ? bucket.retention ?? "on" : "off")],
    ["Policy", (bucket) => (bucket.has_policy ? "yes" : "none")],
    ["Created", (bucket) => when(bucket.created), "time"],
  ], "No bucket has been made.");
}

/** Present where the twin tells of schedules. */
function schedules(list) {
  if (!list) return [];
  return section("Schedules", list, [
    ["Schedule", (schedule) => schedule.name],
    ["Expression", (schedule) => [schedule.expression, schedule.time_zone].filter(Boolean).join(", "), "mono"],
    ["State", (schedule) => schedule.state.toLowerCase(), "time"],
    ["Next", (schedule) => when(schedule.next), "time"],
  ], "No schedule has been made.");
}

/** Calls that look for what need not be there, or that race, are answered with these on good nights too. */
const ORDINARY = new Set([304, 404, 409, 412]);

function failures({ made, failed, failures: items }) {
  return section(`Calls answered with an error, of ${number(made)}:`, { total: failed, items }, [
    ["Time", (call) => when(call.time).slice(11), "time"],
    ["Answer", (call) => [
      el("span", { class: call.planned ? "warn" : ORDINARY.has(call.status) ? null : "bad" }, `${call.status} ${call.outcome}`),
      call.planned ? " planned" : null,
    ]],
    ["Call", (call) => `${call.service} ${call.operation || "not understood"}`],
    ["Resource", (call) => call.resource, "mono wide"],
    ["By", (call) => [call.account, call.principal === "root" ? null : el("div", { class: "mono" }, call.principal.split(":role/").pop())], "time"],
  ], "None.");
}

function events(list) {
  return section("Events", list, [
    ["Time", (accepted) => when(accepted.time), "time"],
    ["Bus", (accepted) => accepted.bus],
    ["Event", (accepted) => `${accepted.event["detail-type"]}, from ${accepted.event.source}`, "wide"],
    ["Detail", (accepted) => el("details", { "data-key": accepted.event.id }, el("summary", null, "show"), el("pre", null, JSON.stringify(accepted.event.detail, null, 1))), "wide"],
  ], "No bus has had an event.");
}
