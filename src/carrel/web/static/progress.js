// Live progress of a start. Without this file the page reloads itself instead.
const card = document.querySelector("[data-progress-url]");
const bar = document.getElementById("progress-bar");
const message = document.getElementById("progress-message");
const log = document.getElementById("progress-log");
const hint = document.getElementById("pending-hint");

function token() {
  const field = document.querySelector("input[name=_xsrf]");
  return field ? field.value : "";
}

function show(step) {
  if (typeof step.progress === "number") {
    bar.value = Math.max(bar.value, step.progress);
    bar.textContent = `${step.progress} %`;
  }
  if (step.message) {
    message.textContent = step.message;
    const item = document.createElement("li");
    item.textContent = step.message;
    log.append(item);
  }
}

function watch() {
  const url = new URL(card.dataset.progressUrl, location.href);
  url.searchParams.set("_xsrf", token());
  const events = new EventSource(url);
  // Every connection tells all steps from the first one on.
  events.addEventListener("open", () => log.replaceChildren());
  events.addEventListener("message", (event) => {
    const step = JSON.parse(event.data);
    show(step);
    if (step.ready) {
      events.close();
      hint.textContent = "It is ready.";
      location.replace(card.dataset.readyUrl);
    } else if (step.failed) {
      events.close();
      location.reload();
    }
  });
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) {
      // The hub refused or is restarting: the page itself knows what to do next.
      setTimeout(() => location.reload(), 3000);
    }
  });
}

if (card) {
  watch();
}
