// For deployers' templates that were copied from JupyterHub: its links and buttons that work by script alone.
// The hub's own pages do without.
const prefix = new URL(".", import.meta.url).pathname.replace(/static\/$/, "");

function token() {
  const field = document.querySelector("input[name=_xsrf]");
  const cookie = document.cookie.match(/(?:^|;\s*)_xsrf=([^;]+)/);
  return field ? field.value : cookie ? decodeURIComponent(cookie[1]) : "";
}

function user() {
  return document.body.dataset.user || document.querySelector("[data-user]")?.dataset.user || "";
}

function address(server) {
  const place = encodeURIComponent(user());
  return `${prefix}api/users/${place}/${server ? `servers/${encodeURIComponent(server)}` : "server"}`;
}

function nameOf(element) {
  const row = element.closest("[data-server-name]");
  return (row && row.dataset.serverName) || "";
}

async function stop(element, remove) {
  element.setAttribute("aria-disabled", "true");
  const body = remove ? JSON.stringify({ remove: true }) : null;
  const headers = { "X-XSRFToken": token(), "Content-Type": "application/json" };
  const answer = await fetch(address(nameOf(element)), { method: "DELETE", headers, body });
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    alert(told.message || `The server could not be stopped (${answer.status}).`);
  }
  // The home page looks again by itself while a server is being stopped.
  location.reload();
}

function start(element) {
  const row = element.closest("tr") || document;
  const field = row.querySelector(".new-server-name");
  const name = nameOf(element) || (field ? field.value.trim() : "");
  const place = encodeURIComponent(user());
  location.href = `${prefix}spawn/${place}${name ? `/${encodeURIComponent(name)}` : ""}`;
}

document.addEventListener("click", (event) => {
  const element = event.target.closest("#stop, .stop-server, .delete-server, .start-server, .new-server-btn");
  if (!element || element.closest("form[method=post]") || element.hasAttribute("href")) {
    return;
  }
  event.preventDefault();
  if (element.matches(".start-server, .new-server-btn")) {
    start(element);
  } else {
    stop(element, element.matches(".delete-server"));
  }
});
