const main = document.getElementById("main");
const answer = await fetch("/v1/status");
main.textContent = answer.ok ? JSON.stringify(await answer.json(), null, 1) : `${answer.status} ${answer.statusText}`;
