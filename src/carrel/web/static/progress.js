// Live progress of a start. Without this file the page reloads itself instead.
// The page may be a deployer's, which lacks any of the places to show something in.
const card = document.querySelector("[data-progress-url]");
const bar = document.getElementById("progress-bar");
const message = document.getElementById("progress-message");
const log = document.getElementById("progress-log");
const hint = document.getElementById("pending-hint");

function token() {
  const field = document.querySelector("input[name=_xsrf]");
  const cookie = document.cookie.match(/(?:^|;\s*)_xsrf=([^;]+)/);
  return field ? field.value : cookie ? decodeURIComponent(cookie[1]) : "";
}

function show(step) {
  if (bar && typeof step.progress === "number") {
    if (bar instanceof HTMLProgressElement) {
      bar.value = Math.max(bar.value, step.progress);
      bar.textContent = `${step.progress} %`;
    } else {
      bar.style.width = `${step.progress}%`;
      bar.setAttribute("aria-valuenow", step.progress);
    }
  }
  if (step.message) {
    if (message) {
      message.textContent = step.message;
    }
    if (log) {
      const item = document.createElement(log.matches("ol, ul") ? "li" : "div");
      item.textContent = step.message;
      log.append(item);
    }
  }
}

function watch() {
  const url = new URL(card.dataset.progressUrl, location.href);
  url.searchParams.set("_xsrf", token());
  const events = new EventSource(url);
  // Every connection tells all steps from the first one on.
  events.addEventListener("open", () => log?.replaceChildren());
  events.addEventListener("message", (event) => {
    const step = JSON.parse(event.data);
    show(step);
    if (step.ready) {
      events.close();
      if (hint) {
        hint.textContent = "It is ready.";
      }
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
