// source/postgres/inventory_query.h - One query that sums up every kind of object in a database.
//
// One line of text per object goes into the checksum of its category. Expressions that the server
// prints anew (views, checks, defaults) are left out: their text may change when it is read back,
// though their meaning does not. Objects of extensions count with the extension.
#pragma once

namespace lifeboat::source::pg {

inline constexpr char inventory_query[] = R"(
WITH ns AS (SELECT oid, nspname, nspowner, nspacl FROM pg_namespace
             WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'lifeboat')),
member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
rel AS (SELECT c.*, n.nspname,
               quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS full_name
          FROM pg_class c JOIN ns n ON n.oid = c.relnamespace
         WHERE NOT EXISTS (SELECT 1 FROM member m
                            WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)),
grants AS (
  SELECT 'r' AS class, r.oid, coalesce(r.relacl,
           acldefault(CASE r.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END,
                      r.relowner)) AS acl
    FROM rel r WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  UNION ALL SELECT 'n', n.oid, coalesce(n.nspacl, acldefault('n', n.nspowner)) FROM ns n
  UNION ALL SELECT 'f', p.oid, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace
  UNION ALL SELECT 'T', t.oid, coalesce(t.typacl, acldefault('T', t.typowner))
    FROM pg_type t JOIN ns ON ns.oid = t.typnamespace),
acl AS (
  SELECT g.class, g.oid, string_agg(concat_ws(':',
           CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(e.grantee)) END,
           e.privilege_type, e.is_grantable), ',' ORDER BY
           CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(e.grantee)) END
             COLLATE "C", e.privilege_type COLLATE "C") AS text
    FROM grants g, LATERAL aclexplode(g.acl) e GROUP BY g.class, g.oid),
things(category, line) AS (
  SELECT 'schemas', concat_ws('|', n.nspname, pg_get_userbyid(n.nspowner), a.text)
    FROM ns n LEFT JOIN acl a ON a.class = 'n' AND a.oid = n.oid
  UNION ALL
  SELECT CASE r.relkind WHEN 'r' THEN 'tables' WHEN 'p' THEN 'partitioned tables'
           WHEN 'v' THEN 'views' WHEN 'm' THEN 'materialized views' WHEN 'f' THEN 'foreign tables'
           ELSE 'sequences' END,
         concat_ws('|', r.full_name, pg_get_userbyid(r.relowner), r.relpersistence,
           r.relrowsecurity, r.relforcerowsecurity, r.relispartition, r.relispopulated,
           r.reloptions::text, a.text)
    FROM rel r LEFT JOIN acl a ON a.class = 'r' AND a.oid = r.oid
   WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  UNION ALL
  SELECT 'columns', concat_ws('|', r.full_name, att.attname,
           format_type(att.atttypid, att.atttypmod), att.attnotnull, att.atthasdef,
           att.attidentity, att.attgenerated, att.attislocal, att.attcollation::regcollation,
           (SELECT string_agg(concat_ws(':', CASE e.grantee WHEN 0 THEN 'PUBLIC'
                     ELSE quote_ident(pg_get_userbyid(e.grantee)) END, e.privilege_type), ','
                     ORDER BY pg_get_userbyid(e.grantee) COLLATE "C", e.privilege_type COLLATE "C")
              FROM aclexplode(att.attacl) e))
    FROM rel r JOIN pg_attribute att ON att.attrelid = r.oid
   WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND att.attnum > 0 AND NOT att.attisdropped
  UNION ALL
  SELECT 'inheritance', concat_ws('|', i.inhrelid::regclass, i.inhparent::regclass, i.inhseqno)
    FROM pg_inherits i JOIN rel r ON r.oid = i.inhrelid WHERE r.relkind IN ('r', 'p', 'f')
  UNION ALL
  SELECT 'indexes', concat_ws('|', i.indexrelid::regclass, i.indrelid::regclass, am.amname,
           i.indisunique, i.indisprimary, i.indisvalid, i.indisclustered, i.indisreplident,
           i.indnkeyatts, i.indexprs IS NOT NULL, i.indpred IS NOT NULL,
           (SELECT string_agg(coalesce(att.attname, '()'), ',' ORDER BY k.place)
              FROM unnest(i.indkey) WITH ORDINALITY k(number, place)
              LEFT JOIN pg_attribute att ON att.attrelid = i.indrelid AND att.attnum = k.number))
    FROM pg_index i JOIN rel r ON r.oid = i.indexrelid JOIN pg_am am ON am.oid = r.relam
  UNION ALL
  SELECT 'constraints', concat_ws('|', c.conname, c.conrelid::regclass, c.contypid::regtype,
           c.contype, c.convalidated, c.condeferrable, c.condeferred, c.conislocal,
           CASE WHEN c.contype IN ('f', 'p', 'u') THEN pg_get_constraintdef(c.oid) END)
    FROM pg_constraint c JOIN ns ON ns.oid = c.connamespace
   WHERE NOT EXISTS (SELECT 1 FROM member m WHERE m.objid = c.conrelid OR m.objid = c.contypid)
  UNION ALL
  SELECT 'triggers', concat_ws('|', t.tgname, t.tgrelid::regclass, t.tgfoid::regprocedure, t.tgtype,
           t.tgenabled, t.tgdeferrable, t.tginitdeferred)
    FROM pg_trigger t JOIN rel r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
  UNION ALL
  SELECT 'functions', concat_ws('|', p.oid::regprocedure, p.prokind, l.lanname,
           pg_get_userbyid(p.proowner), p.prosecdef, p.proleakproof, p.proisstrict, p.provolatile,
           p.proparallel, format_type(p.prorettype, NULL), p.proconfig::text, p.prosrc, a.text)
    FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
    LEFT JOIN acl a ON a.class = 'f' AND a.oid = p.oid
   WHERE NOT EXISTS (SELECT 1 FROM member m
                      WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
  UNION ALL
  SELECT 'types', concat_ws('|', t.oid::regtype, t.typtype, pg_get_userbyid(t.typowner),
         t.typnotnull,
           CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
           (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder)
              FROM pg_enum e WHERE e.enumtypid = t.oid), a.text)
    FROM pg_type t JOIN ns ON ns.oid = t.typnamespace
    LEFT JOIN acl a ON a.class = 'T' AND a.oid = t.oid
   WHERE t.typtype IN ('e', 'd', 'r', 'c', 'b') AND t.typelem = 0
     AND (t.typrelid = 0 OR EXISTS (SELECT 1 FROM pg_class c
                                     WHERE c.oid = t.typrelid AND c.relkind = 'c'))
     AND NOT EXISTS (SELECT 1 FROM member m
                      WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
  UNION ALL
  SELECT 'policies', concat_ws('|', p.polname, p.polrelid::regclass, p.polcmd, p.polpermissive,
           (SELECT string_agg(CASE WHEN u = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(u) END, ','
                     ORDER BY u = 0, pg_get_userbyid(u) COLLATE "C") FROM unnest(p.polroles) u))
    FROM pg_policy p JOIN rel r ON r.oid = p.polrelid
  UNION ALL
  SELECT 'rules', concat_ws('|', w.rulename, w.ev_class::regclass, w.ev_type, w.ev_enabled)
    FROM pg_rewrite w JOIN rel r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
  UNION ALL
  SELECT 'extensions', concat_ws('|', e.extname, n.nspname)
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
  UNION ALL
  SELECT 'event triggers', concat_ws('|', evtname, evtevent, evtenabled, evtfoid::regprocedure)
    FROM pg_event_trigger
  UNION ALL
  SELECT 'publications', concat_ws('|', p.pubname, p.puballtables, p.pubinsert, p.pubupdate,
           p.pubdelete, (SELECT string_agg(x.prrelid::regclass::text, ',' ORDER BY
                           x.prrelid::regclass::text COLLATE "C")
                           FROM pg_publication_rel x WHERE x.prpubid = p.oid))
    FROM pg_publication p
  UNION ALL
  SELECT 'default privileges', concat_ws('|', pg_get_userbyid(d.defaclrole), n.nspname,
           d.defaclobjtype,
           (SELECT string_agg(concat_ws(':', CASE e.grantee WHEN 0 THEN 'PUBLIC'
                     ELSE quote_ident(pg_get_userbyid(e.grantee)) END, e.privilege_type,
                     e.is_grantable), ',' ORDER BY e.grantee = 0,
                     pg_get_userbyid(e.grantee) COLLATE "C", e.privilege_type COLLATE "C")
              FROM aclexplode(d.defaclacl) e))
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
  UNION ALL
  SELECT 'comments', concat_ws('|', i.type, i.identity, d.description)
    FROM pg_description d, LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
   WHERE d.objoid >= 16384 AND coalesce(i.schema, '') <> 'lifeboat' AND i.identity IS NOT NULL
     AND NOT EXISTS (SELECT 1 FROM member m
                      WHERE m.classid = d.classoid AND m.objid = d.objoid)
  UNION ALL
  SELECT 'other objects', concat_ws('|', i.type, i.identity)
    FROM (SELECT 'pg_operator'::regclass, oid FROM pg_operator
          UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast
          UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation
          UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion
          UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language
          UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass
          UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily
          UNION ALL SELECT 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext
          UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config
          UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict
          UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
          UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
          UNION ALL SELECT 'pg_user_mapping'::regclass, umid FROM pg_user_mappings
         ) o(class, oid), LATERAL pg_identify_object(o.class, o.oid, 0) i
   WHERE o.oid >= 16384 AND coalesce(i.schema, '') <> 'lifeboat'
     AND NOT EXISTS (SELECT 1 FROM member m WHERE m.classid = o.class AND m.objid = o.oid))
SELECT category, count(*), sum(hashtextextended(line COLLATE "C", 0))::text
  FROM things GROUP BY category ORDER BY category)";

}  // namespace lifeboat::source::pg
