CREATE TABLE `assertion_used` (
	`client` text NOT NULL,
	`jti` text NOT NULL,
	`expires` text NOT NULL,
	PRIMARY KEY(`client`, `jti`)
);
--> statement-breakpoint
CREATE INDEX `assertion_expires` ON `assertion_used` (`expires`);--> statement-breakpoint
CREATE TABLE `attempt` (
	`owed` text NOT NULL,
	`number` integer NOT NULL,
	`at` text NOT NULL,
	`outcome` text NOT NULL,
	`note` blob,
	PRIMARY KEY(`owed`, `number`)
);
--> statement-breakpoint
CREATE TABLE `audit` (
	`id` text PRIMARY KEY NOT NULL,
	`at` text NOT NULL,
	`action` text NOT NULL,
	`who` text NOT NULL,
	`service` text,
	`patient` text,
	`entity` text,
	`recipient` text,
	`request_id` text,
	`basis` text,
	`detail` blob
);
--> statement-breakpoint
CREATE INDEX `audit_by_patient` ON `audit` (`patient`,`at`);--> statement-breakpoint
CREATE INDEX `audit_by_time` ON `audit` (`at`);--> statement-breakpoint
CREATE TABLE `directory` (
	`kind` text NOT NULL,
	`id` text NOT NULL,
	`body` text NOT NULL,
	`applied_at` text NOT NULL,
	PRIMARY KEY(`kind`, `id`)
);
--> statement-breakpoint
CREATE TABLE `guard` (
	`one` integer PRIMARY KEY NOT NULL,
	`step` integer NOT NULL,
	`holds` integer NOT NULL,
	CONSTRAINT "step_1" CHECK(holds > 0 or step <> 1),
	CONSTRAINT "step_2" CHECK(holds > 0 or step <> 2),
	CONSTRAINT "step_3" CHECK(holds > 0 or step <> 3),
	CONSTRAINT "step_4" CHECK(holds > 0 or step <> 4),
	CONSTRAINT "step_5" CHECK(holds > 0 or step <> 5),
	CONSTRAINT "step_6" CHECK(holds > 0 or step <> 6),
	CONSTRAINT "step_7" CHECK(holds > 0 or step <> 7),
	CONSTRAINT "step_8" CHECK(holds > 0 or step <> 8),
	CONSTRAINT "step_9" CHECK(holds > 0 or step <> 9),
	CONSTRAINT "step_10" CHECK(holds > 0 or step <> 10),
	CONSTRAINT "step_11" CHECK(holds > 0 or step <> 11),
	CONSTRAINT "step_12" CHECK(holds > 0 or step <> 12),
	CONSTRAINT "step_beyond" CHECK(holds > 0)
);
--> statement-breakpoint
INSERT INTO `guard` (`one`, `step`, `holds`) VALUES (1, 0, 1);
--> statement-breakpoint
CREATE TABLE `holder_key` (
	`holder` text PRIMARY KEY NOT NULL,
	`wrapped` blob,
	`destroyed_at` text
);
--> statement-breakpoint
CREATE TABLE `inbox` (
	`client` text NOT NULL,
	`request_id` text NOT NULL,
	`fingerprint` text NOT NULL,
	`at` text NOT NULL,
	`status` integer NOT NULL,
	`answer` blob NOT NULL,
	PRIMARY KEY(`client`, `request_id`)
);
--> statement-breakpoint
CREATE INDEX `inbox_by_time` ON `inbox` (`at`);--> statement-breakpoint
CREATE TABLE `lane` (
	`partner` text PRIMARY KEY NOT NULL,
	`failures` integer DEFAULT 0 NOT NULL,
	`shut_until` text,
	`paused_at` text,
	`note` text
);
--> statement-breakpoint
CREATE TABLE `message_taken` (
	`client` text NOT NULL,
	`bundle` text NOT NULL,
	`at` text NOT NULL,
	PRIMARY KEY(`client`, `bundle`)
);
--> statement-breakpoint
CREATE TABLE `owed` (
	`id` text PRIMARY KEY NOT NULL,
	`seq` integer NOT NULL,
	`partner` text NOT NULL,
	`service` text NOT NULL,
	`patient` text NOT NULL,
	`task` text NOT NULL,
	`reason` text NOT NULL,
	`correlation` text NOT NULL,
	`body` blob,
	`state` text NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`unanswered` integer DEFAULT 0 NOT NULL,
	`created_at` text NOT NULL,
	`due_at` text NOT NULL,
	`lease_until` text,
	`first_tried_at` text,
	`settled_at` text,
	`receipt` blob,
	`note` blob
);
--> statement-breakpoint
CREATE UNIQUE INDEX `owed_seq` ON `owed` (`seq`);--> statement-breakpoint
CREATE INDEX `owed_due` ON `owed` (`state`,`partner`,`due_at`,`seq`);--> statement-breakpoint
CREATE INDEX `owed_by_task` ON `owed` (`task`,`seq`);--> statement-breakpoint
CREATE INDEX `owed_by_patient` ON `owed` (`patient`,`seq`);--> statement-breakpoint
CREATE TABLE `person` (
	`id` text PRIMARY KEY NOT NULL,
	`service` text NOT NULL,
	`revision` integer NOT NULL,
	`legal_hold` text,
	`erased_at` text
);
--> statement-breakpoint
CREATE TABLE `resource` (
	`row` integer PRIMARY KEY NOT NULL,
	`shelf` text NOT NULL,
	`type` text NOT NULL,
	`id` text NOT NULL,
	`version` integer NOT NULL,
	`last_updated` text NOT NULL,
	`patient` text,
	`body` blob,
	`terms` blob
);
--> statement-breakpoint
CREATE UNIQUE INDEX `resource_place` ON `resource` (`shelf`,`type`,`id`);--> statement-breakpoint
CREATE INDEX `resource_by_patient` ON `resource` (`patient`,`shelf`);--> statement-breakpoint
CREATE INDEX `resource_by_time` ON `resource` (`shelf`,`type`,`last_updated`,`id`) WHERE "resource"."body" is not null;--> statement-breakpoint
CREATE TABLE `resource_version` (
	`shelf` text NOT NULL,
	`type` text NOT NULL,
	`id` text NOT NULL,
	`version` integer NOT NULL,
	`last_updated` text NOT NULL,
	`patient` text,
	`body` blob,
	PRIMARY KEY(`shelf`, `type`, `id`, `version`)
);
--> statement-breakpoint
CREATE INDEX `resource_version_by_patient` ON `resource_version` (`patient`) WHERE "resource_version"."patient" is not null;--> statement-breakpoint
CREATE TABLE `search` (
	`term` blob NOT NULL,
	`resource` integer NOT NULL,
	PRIMARY KEY(`term`, `resource`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `timer` (
	`patient` text NOT NULL,
	`about` text NOT NULL,
	`service` text NOT NULL,
	`due_at` text NOT NULL,
	PRIMARY KEY(`patient`, `about`)
);
--> statement-breakpoint
CREATE INDEX `timer_due` ON `timer` (`due_at`);--> statement-breakpoint
CREATE TABLE `work_item` (
	`id` text PRIMARY KEY NOT NULL,
	`service` text NOT NULL,
	`patient` text,
	`task` text,
	`about` text NOT NULL,
	`reason` text NOT NULL,
	`words` blob,
	`opened_at` text NOT NULL,
	`resolved_at` text
);
--> statement-breakpoint
CREATE INDEX `work_item_open` ON `work_item` (`service`,`resolved_at`);--> statement-breakpoint
CREATE INDEX `work_item_by_patient` ON `work_item` (`patient`,`resolved_at`);--> statement-breakpoint
CREATE UNIQUE INDEX `work_item_about_person` ON `work_item` (`service`,`patient`,`about`) WHERE "work_item"."resolved_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX `work_item_about_service` ON `work_item` (`service`,`about`) WHERE "work_item"."patient" is null and "work_item"."resolved_at" is null;