CREATE TABLE `audit_seal` (
	`batch` integer PRIMARY KEY NOT NULL,
	`first_seq` integer NOT NULL,
	`last_seq` integer NOT NULL,
	`count` integer NOT NULL,
	`root` blob NOT NULL,
	`leaves` blob NOT NULL,
	`previous` blob NOT NULL,
	`sealed_at` text NOT NULL,
	`public_key` blob NOT NULL,
	`signature` blob NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `audit_seal_first` ON `audit_seal` (`first_seq`);--> statement-breakpoint
CREATE TABLE `__new_audit` (
	`seq` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
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
INSERT INTO `__new_audit`("id", "at", "action", "who", "service", "patient", "entity", "recipient", "request_id", "basis", "detail") SELECT "id", "at", "action", "who", "service", "patient", "entity", "recipient", "request_id", "basis", "detail" FROM `audit` ORDER BY rowid;--> statement-breakpoint
DROP TABLE `audit`;--> statement-breakpoint
ALTER TABLE `__new_audit` RENAME TO `audit`;--> statement-breakpoint
CREATE UNIQUE INDEX `audit_id` ON `audit` (`id`);--> statement-breakpoint
CREATE INDEX `audit_by_patient` ON `audit` (`patient`,`at`);--> statement-breakpoint
CREATE INDEX `audit_by_time` ON `audit` (`at`);