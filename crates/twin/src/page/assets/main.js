// Asks the twin every two seconds and shows what has changed.

const EVERY = 2000;
let chosen = decodeURIComponent(location.hash.slice(1));
let latest = null;

const theme = new URLSearchParams(location.search).get("theme");
if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;

function choose(arn) {
  chosen = arn;
  keepInAddress(arn);
  if (latest) refresh().catch(lost);
}

function keepInAddress(arn) {
  window.history.replaceState(null, "", `#${encodeURIComponent(arn)}`);
}

/** The run to look at when nobody has chosen one: one that failed, else one that runs, else the latest. */
function urgent(items) {
  const first = (test) => items.find(test)?.arn;
  return first((run) => run.status !== "RUNNING" && run.status !== "SUCCEEDED") ?? first((run) => run.status === "RUNNING") ?? items[0]?.arn;
}

async function ask(path) {
  const response = await fetch(path, { cache: "no-store" });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`${path} answers ${response.status}`);
  return response.json();
}

async function refresh() {
  const state = await ask("/_twin/state");
  latest = state;
  const arn = chosen || urgent(state.executions.items);
  const execution = arn ? await ask(`/_twin/execution?arn=${encodeURIComponent(arn)}`) : null;
  // A running execution is shown with its age; others do not change with time.
  if (execution?.status === "RUNNING") execution.time = state.time;
  document.getElementById("clock").textContent = `${when(state.time)} UTC by the twin's clock`;
  document.getElementById("link").textContent = "";
  document.title = `${state.runs.failed > 0 ? `${state.runs.failed} failed · ` : ""}Levee twin`;
  show("summary", state.runs, summary);
  show("run-list", { executions: state.executions, chosen: arn }, runList);
  show("run", execution, run);
  show("jobs", state.jobs, jobs);
  show("queues", state.queues, queues);
  show("buckets", state.buckets, buckets);
  show("schedules", state.schedules, schedules);
  show("failures", state.calls, failures);
  show("events", state.events, events);
}

function lost(problem) {
  document.getElementById("link").textContent = `The twin does not answer (${problem.message}). What is shown may be old.`;
}

async function poll() {
  try {
    await refresh();
  } catch (problem) {
    lost(problem);
  }
  setTimeout(poll, EVERY);
}

window.addEventListener("hashchange", () => choose(decodeURIComponent(location.hash.slice(1))));
poll();
