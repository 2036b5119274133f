// Plays the page's audio from the time of a button that is clicked.
document.querySelectorAll("button.seek").forEach((button) => {
  button.addEventListener("click", () => {
    const audio = document.querySelector("audio.player");
    audio.currentTime = Number(button.dataset.seconds);
    audio.play();
  });
});
