// Shows the options of the chosen profile alone. Without this file all stand there, and the server reads
// those of the chosen one.
const radios = document.querySelectorAll('.profiles input[type="radio"][name="profile"]');

function showChosen() {
  for (const options of document.querySelectorAll(".profiles [data-profile]")) {
    const chosen = document.getElementById(options.dataset.profile).checked;
    options.hidden = !chosen;
    // What is disabled is neither sent nor checked by the browser.
    options.disabled = !chosen;
  }
}

for (const radio of radios) {
  radio.addEventListener("change", showChosen);
}
showChosen();

for (const part of document.querySelectorAll(".profiles [data-unlisted]")) {
  const choice = document.getElementById(part.dataset.unlisted);
  const show = () => {
    part.hidden = choice.value !== "unlisted-choice";
  };
  choice.addEventListener("change", show);
  show();
}
// A browser that goes back in its history fills in what was chosen before.
window.addEventListener("pageshow", showChosen);
