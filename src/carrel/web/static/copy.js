// Buttons that copy a field. Without this file they stay hidden, and the field can be selected by hand.
function copyOldWay(field) {
  // Outside of https there is no clipboard object.
  field.select();
  return document.execCommand("copy");
}

async function copy(field) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(field.value);
      return true;
    } catch {
      // Not allowed to: the old way may still be.
    }
  }
  return copyOldWay(field);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const status = document.getElementById(button.dataset.status);
  button.hidden = false;
  button.addEventListener("click", async () => {
    const done = await copy(field);
    status.textContent = done ? "Copied." : "It could not be copied: select the field and copy it by hand.";
  });
}
