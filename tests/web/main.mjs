// SPDX-License-Identifier: MIT
// One program for all, so that the browser starts once and the TAP has one plan. Run by scripts/test-web.
import './flamegraph.mjs';
import './flamegraph_access.mjs';
import './html.mjs';
import './speedscope.mjs';
import './changed.mjs';
import './deploy.mjs';
