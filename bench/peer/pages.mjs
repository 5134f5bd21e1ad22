// Two pages, one question each: the password, then the code of the app.

const FORMS = {
  password: `
    <label for="username">Username</label>
    <input id="username" name="username" autocomplete="username" required autofocus>
    <label for="password">Password</label>
    <input id="password" name="password" type="password" autocomplete="current-password" required>`,
  totp: `
    <label for="code">The code that your app shows</label>
    <input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" required autofocus>`,
};

const page = (uid, step, problem) => `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Sign in</title>
</head>
<body>
<main>
  <h1>Sign in to Bench</h1>
  ${problem ? `<p role="alert">${problem}</p>` : ''}
  <form method="post" action="/interaction/${uid}/${step}">${FORMS[step]}
    <button>Continue</button>
  </form>
</main>
</body>
</html>
`;

export const interactions = (provider, people) => async (req, res) => {
  const [, , , step] = req.url.split('/');
  const interaction = await provider.interactionDetails(req, res);
  const first = interaction.result?.first;
  if (req.method !== 'POST') return show(res, interaction.uid, first ? 'totp' : 'password');

  const form = new URLSearchParams(await body(req));
  if (step === 'password') {
    const id = await people.knows(form.get('username'), form.get('password'));
    if (!id) return show(res, interaction.uid, step, 'Username or password is wrong.');
    interaction.result = { first: id };
    await interaction.persist();
    return go(res, `/interaction/${interaction.uid}`);
  }
  if (step !== 'totp' || !first) return go(res, `/interaction/${interaction.uid}`);
  if (!await people.proves(first, form.get('code') ?? '')) {
    return show(res, interaction.uid, step, 'That is not the code.');
  }
  interaction.result = { login: { accountId: first, amr: ['pwd', 'otp', 'mfa'], acr: 'urn:stile:2fa-strong' } };
  await interaction.persist();
  return go(res, interaction.returnTo);
};

async function body(req) {
  let text = '';
  for await (const part of req.setEncoding('utf8')) {
    text += part;
    if (text.length > 10_000) throw new Error('too long');
  }
  return text;
}

function show(res, ...what) {
  res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' });
  res.end(page(...what));
}

function go(res, where) {
  res.writeHead(303, { Location: where, 'Content-Length': 0, 'Cache-Control': 'no-store' });
  res.end();
}
