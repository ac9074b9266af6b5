'use strict';
// The work is in post.js.
