// What a later step does with the token: asks GitHub for a repository, and says what came of it.
'use strict';
const { GITHUB_API_URL, GH_TOKEN, WANTED = 'my-org/repo-a' } = process.env;
require('node:http').get(`${GITHUB_API_URL}/repos/${WANTED}`, {
  headers: { authorization: `Bearer ${GH_TOKEN}`, 'user-agent': 'a-later-step' },
}, (response) => {
  console.log(`${WANTED}: ${response.statusCode}`);
  process.exitCode = response.statusCode === 200 ? 0 : 1;
  response.resume();
});
