// node-oidc-provider's storage in PostgreSQL: one table, found by key, each statement prepared once per connection.

import pg from 'pg';
import { errors } from 'oidc-provider';

const STATEMENTS = {
  upsert: `
    INSERT INTO entity (model, id, payload, grant_id, uid, user_code, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, now() + $7::integer * interval '1 s')
    ON CONFLICT (id, model) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id, uid = excluded.uid,
      user_code = excluded.user_code, expires_at = excluded.expires_at`,
  find: 'SELECT payload, consumed_at FROM entity WHERE id = $2 AND model = $1 AND expires_at > now()',
  findByUid: 'SELECT payload, consumed_at FROM entity WHERE uid = $2 AND model = $1 AND expires_at > now()',
  findByUserCode: 'SELECT payload, consumed_at FROM entity WHERE user_code = $2 AND model = $1 AND expires_at > now()',
  // Once is once: of two at the same time, one finds it consumed.
  consume: 'UPDATE entity SET consumed_at = now() WHERE id = $2 AND model = $1 AND consumed_at IS NULL',
  destroy: 'DELETE FROM entity WHERE id = $2 AND model = $1',
  revokeByGrantId: 'DELETE FROM entity WHERE grant_id = $2 AND model = $1',
  sweep: `
    DELETE FROM entity
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM entity WHERE expires_at < now() LIMIT 1000 FOR UPDATE SKIP LOCKED))`,
};

export class Database {
  statements = 0;

  #pool;

  constructor(url) {
    this.#pool = new pg.Pool({ ...url, idleTimeoutMillis: 0 });
  }

  run(name, text, values) {
    this.statements += 1;
    return this.#pool.query({ name, text, values });
  }

  sweep() {
    return this.run('sweep', STATEMENTS.sweep, []);
  }

  end() {
    return this.#pool.end();
  }
}

export const adapterFor = (db) => class Adapter {
  constructor(model) {
    this.model = model;
  }

  #run(what, ...values) {
    return db.run(what, STATEMENTS[what], [this.model, ...values]);
  }

  async #one(what, value) {
    const { rows: [row] } = await this.#run(what, value);
    if (row?.consumed_at) row.payload.consumed = true;
    return row?.payload;
  }

  async upsert(id, payload, expiresIn) {
    const { grantId, uid, userCode } = payload;
    await this.#run('upsert', id, payload, grantId, uid, userCode, expiresIn);
  }

  find(id) {
    return this.#one('find', id);
  }

  findByUid(uid) {
    return this.#one('findByUid', uid);
  }

  findByUserCode(userCode) {
    return this.#one('findByUserCode', userCode);
  }

  async consume(id) {
    const { rowCount } = await this.#run('consume', id);
    if (rowCount !== 1) throw new errors.InvalidGrant('already consumed');
  }

  async destroy(id) {
    await this.#run('destroy', id);
  }

  async revokeByGrantId(grantId) {
    await this.#run('revokeByGrantId', grantId);
  }
};
